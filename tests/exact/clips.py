"""Small real videos with all the metadata that may stand beside the samples."""

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
class AudioSpec:
    """An audio stream: a tone from `start_s` to `end_s`."""

    codec: str = "aac"
    start_s: float = 0.0
    end_s: float = 0.5
    language: str = ""
    title: str = ""
    default: bool = False


@dataclass(frozen=True)
class Clip:
    """Properties of a video to write; its suffix chooses the container.

    pts:       presentation time of each frame, in ticks of `time_base` seconds
    rotation:  degrees counterclockwise, mirrored, upside down
    color:     range, primaries, transfer, matrix, as ffmpeg numbers them
    draw:      makes each frame: its number, the spec -> uint8 RGB (height, width, 3)
    """

    pts: tuple[int, ...] = tuple(range(12))
    time_base: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    audio: tuple[AudioSpec, ...] = (AudioSpec(),)
    rotation: tuple[int, bool, bool] = (0, False, False)
    sample_aspect_ratio: Fraction | None = None
    color: tuple[int, int, int, int] | None = None
    field_order: FieldOrder = FieldOrder.progressive
    options: dict[str, str] = field(default_factory=dict)
    draw: Callable[[int, VideoSpec], NDArray[np.uint8]] = picture

    @property
    def spec(self) -> VideoSpec:
        """As much of it as tests/videos.py knows, to draw its pictures."""
        return VideoSpec(len(self.pts), *self.size)


def make_clip(path: Path, clip: Clip) -> Path:
    """Write the video that `clip` describes."""
    with av.open(str(path), "w") as container:
        video = _video_stream(container, clip)
        streams = [_audio_stream(container, spec) for spec in clip.audio]
        marked = _field_marker(clip)
        for number, pts in enumerate(clip.pts):
            frame = VideoFrame.from_ndarray(clip.draw(number, clip.spec), format="rgb24").reformat(
                format=clip.pixel_format
            )
            frame.pts, frame.time_base = pts, clip.time_base
            container.mux(video.encode(marked(frame)))
        for spec, stream in zip(clip.audio, streams, strict=True):
            _mux_tone(container, stream, spec)
        container.mux(video.encode(None))
    return path


def _video_stream(container: OutputContainer, clip: Clip) -> VideoStream:
    fast = {"preset": "ultrafast"} if clip.codec in ("libx264", "libx265") else {}
    quiet = {"x265-params": "log-level=error"} if clip.codec == "libx265" else {}
    rate = round(1 / clip.time_base) if clip.time_base > Fraction(1, 100) else 25
    video = cast(VideoStream, container.add_stream(clip.codec, rate=rate, options={**fast, **quiet, **clip.options}))
    context = video.codec_context
    video.width, video.height, video.pix_fmt = *clip.size, clip.pixel_format
    context.time_base = video.time_base = clip.time_base
    if clip.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = clip.sample_aspect_ratio
    if clip.color is not None:
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = clip.color
    if clip.rotation != (0, False, False):
        video.set_display_rotation(*clip.rotation)
    if clip.field_order is not FieldOrder.progressive:
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.options["field_order"] = str(FIELD_ORDERS[clip.field_order][0])
    return video


def _field_marker(clip: Clip) -> Callable[[VideoFrame], VideoFrame]:
    """Marks a picture as made of two fields: PyAV cannot, one of libav's filters can."""
    if clip.field_order is FieldOrder.progressive:
        return lambda frame: frame
    graph = Graph()
    form = VideoFormat(clip.pixel_format, *clip.size)
    source = graph.add_buffer(width=form.width, height=form.height, format=form, time_base=clip.time_base)
    marker, sink = graph.add("setfield", FIELD_ORDERS[clip.field_order][1]), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()

    def marked(frame: VideoFrame) -> VideoFrame:
        graph.push(frame)
        return cast(VideoFrame, graph.pull())

    return marked


def _audio_stream(container: OutputContainer, spec: AudioSpec) -> AudioStream:
    stream = cast(AudioStream, container.add_stream(spec.codec, rate=AUDIO_RATE_HZ))
    stream.codec_context.layout = "stereo"
    tags = {"language": spec.language, "title": spec.title}
    stream.metadata.update({key: text for key, text in tags.items() if text})
    stream.disposition = Disposition.default if spec.default else Disposition(0)
    return stream


def _mux_tone(container: OutputContainer, stream: AudioStream, spec: AudioSpec) -> None:
    for start in range(round(spec.start_s * AUDIO_RATE_HZ), round(spec.end_s * AUDIO_RATE_HZ), AUDIO_FRAME):
        wave = (np.sin((start + np.arange(AUDIO_FRAME)) / 20) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
