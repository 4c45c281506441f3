"""Small real videos with everything that may be told beside the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.filter import Graph
from av.stream import Disposition
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from blurscene_stream.streams import FieldOrder
from tests.videos import AUDIO_FRAME, AUDIO_RATE_HZ, VideoSpec, picture

FIELD_ORDERS = {
    FieldOrder.progressive: (1, "prog"),
    FieldOrder.top_first: (2, "tff"),
    FieldOrder.bottom_first: (3, "bff"),
}


@dataclass(frozen=True)
class Sound:
    """A sound track: a tone from `start_s` to `end_s`."""

    codec: str = "aac"
    start_s: float = 0.0
    end_s: float = 0.5
    language: str = ""
    title: str = ""
    default: bool = False


@dataclass(frozen=True)
class Clip:
    """What a video is like; its suffix chooses the container.

    times:   when each picture is shown, in ticks of `tick` seconds
    turn:    degrees against the clock, mirrored, upside down
    colours: range, primaries, transfer, matrix, as ffmpeg numbers them
    draw:    makes each picture: its number, what it is like -> uint8 RGB (height, width, 3)
    """

    times: tuple[int, ...] = tuple(range(12))
    tick: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    form: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    sound: tuple[Sound, ...] = (Sound(),)
    turn: tuple[int, bool, bool] = (0, False, False)
    ratio: Fraction | None = None
    colours: tuple[int, int, int, int] | None = None
    fields: FieldOrder = FieldOrder.progressive
    options: dict[str, str] = field(default_factory=dict)
    draw: Callable[[int, VideoSpec], NDArray[np.uint8]] = picture

    @property
    def spec(self) -> VideoSpec:
        """As much of it as tests/videos.py knows, to draw its pictures."""
        return VideoSpec(len(self.times), *self.size)


def make_clip(path: Path, clip: Clip) -> Path:
    """Write the video that `clip` describes."""
    with av.open(str(path), "w") as container:
        video = _video(container, clip)
        tracks = [_track(container, sound) for sound in clip.sound]
        marked = _field_marker(clip)
        for number, pts in enumerate(clip.times):
            frame = VideoFrame.from_ndarray(clip.draw(number, clip.spec), format="rgb24").reformat(format=clip.form)
            frame.pts, frame.time_base = pts, clip.tick
            container.mux(video.encode(marked(frame)))
        for sound, track in zip(clip.sound, tracks, strict=True):
            _tone(container, track, sound)
        container.mux(video.encode(None))
    return path


def _video(container: OutputContainer, clip: Clip) -> VideoStream:
    fast = {"preset": "ultrafast"} if clip.codec in ("libx264", "libx265") else {}
    quiet = {"x265-params": "log-level=error"} if clip.codec == "libx265" else {}
    rate = round(1 / clip.tick) if clip.tick > Fraction(1, 100) else 25
    video = cast(VideoStream, container.add_stream(clip.codec, rate=rate, options={**fast, **quiet, **clip.options}))
    context = video.codec_context
    video.width, video.height, video.pix_fmt = *clip.size, clip.form
    context.time_base = video.time_base = clip.tick
    if clip.ratio is not None:
        context.sample_aspect_ratio = clip.ratio
    if clip.colours is not None:
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = clip.colours
    if clip.turn != (0, False, False):
        video.set_display_rotation(*clip.turn)
    if clip.fields is not FieldOrder.progressive:
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.options["field_order"] = str(FIELD_ORDERS[clip.fields][0])
    return video


def _field_marker(clip: Clip) -> Callable[[VideoFrame], VideoFrame]:
    """Marks a picture as made of two fields: PyAV cannot, one of libav's filters can."""
    if clip.fields is FieldOrder.progressive:
        return lambda frame: frame
    graph = Graph()
    form = VideoFormat(clip.form, *clip.size)
    source = graph.add_buffer(width=form.width, height=form.height, format=form, time_base=clip.tick)
    marker, sink = graph.add("setfield", FIELD_ORDERS[clip.fields][1]), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()

    def marked(frame: VideoFrame) -> VideoFrame:
        graph.push(frame)
        return cast(VideoFrame, graph.pull())

    return marked


def _track(container: OutputContainer, sound: Sound) -> AudioStream:
    track = cast(AudioStream, container.add_stream(sound.codec, rate=AUDIO_RATE_HZ))
    track.codec_context.layout = "stereo"
    told = {"language": sound.language, "title": sound.title}
    track.metadata.update({key: text for key, text in told.items() if text})
    track.disposition = Disposition.default if sound.default else Disposition(0)
    return track


def _tone(container: OutputContainer, track: AudioStream, sound: Sound) -> None:
    for start in range(round(sound.start_s * AUDIO_RATE_HZ), round(sound.end_s * AUDIO_RATE_HZ), AUDIO_FRAME):
        wave = (np.sin((start + np.arange(AUDIO_FRAME)) / 20) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))
