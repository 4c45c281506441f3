"""Small real videos, made on the fly: a white square walks over grey noise, and a tone sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from blurscene_stream.sink.thread_priority import kept_thread_priority
from blurscene_stream.source.frames.timestamps import fraction

SQUARE_PX = 24
WHITE, GREY = 235, 90
YELLOW = (255, 250, 180)
AUDIO_RATE_HZ = 48_000
AUDIO_FRAME = 1024


@dataclass(frozen=True)
class VideoSpec:
    """What a test video is like; its suffix chooses the container.

    times: presentation times in ticks of `time_base`; None: one tick of the frame rate each
    audio: codec of each audio track
    colour: coloured noise and a yellow square instead of grey and white
    """

    frames: int = 25
    width: int = 160
    height: int = 120
    rate: int = 25
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    audio: tuple[str, ...] = ("aac",)
    times: Sequence[int] | None = None
    time_base: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)
    rotation: int = 0
    sample_aspect_ratio: Fraction | None = None
    colour: bool = False


def square_at(number: int, spec: VideoSpec) -> tuple[int, int, int, int]:
    """Where the square is in frame `number`: x0 y0 x1 y1, even numbers, inside the picture."""
    side_x, side_y = min(SQUARE_PX, spec.width), min(SQUARE_PX, spec.height)
    x = (number * 4) % max(1, spec.width - side_x + 1) // 2 * 2
    y = (spec.height - side_y) // 2 // 2 * 2
    return x, y, x + side_x, y + side_y


def picture(number: int, spec: VideoSpec) -> NDArray[np.uint8]:
    """Frame `number` as uint8 RGB (height, width, 3)."""
    channels = 3 if spec.colour else 1
    noise = np.random.default_rng(number).integers(GREY - 20, GREY + 20, (spec.height, spec.width, channels))
    made = np.repeat(noise.astype(np.uint8), 3 // channels, axis=2)
    x0, y0, x1, y1 = square_at(number, spec)
    made[y0:y1, x0:x1] = YELLOW if spec.colour else WHITE
    return made


_encoded: dict[object, bytes] = {}


def encoded_once(path: Path, what: object, encode: Callable[[Path], object]) -> Path:
    """Write a file by `encode`, or copy what that wrote for the same `what` and suffix before, which takes no time."""
    key = (path.suffix, what)
    if key in _encoded:
        path.write_bytes(_encoded[key])
    else:
        encode(path)
        _encoded[key] = path.read_bytes()
    return path


def make_video(
    path: Path,
    spec: VideoSpec = VideoSpec(),  # frozen
    container_options: dict[str, str] | None = None,
    draw: Callable[[int, VideoSpec], NDArray[np.uint8]] = picture,
) -> Path:
    """Write the video that `spec` describes."""
    what = (repr(spec), repr(container_options), draw)
    return encoded_once(path, what, partial(_encode, spec=spec, container_options=container_options or {}, draw=draw))


def _encode(
    path: Path,
    spec: VideoSpec,
    container_options: dict[str, str],
    draw: Callable[[int, VideoSpec], NDArray[np.uint8]],
) -> None:
    with av.open(str(path), "w", container_options=container_options) as container, kept_thread_priority():
        video = cast(VideoStream, container.add_stream(spec.codec, rate=spec.rate, options=_options(spec)))
        video.width, video.height, video.pix_fmt = spec.width, spec.height, spec.pixel_format
        video.codec_context.time_base = video.time_base = spec.time_base or Fraction(1, spec.rate)
        if spec.sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = spec.sample_aspect_ratio
        if spec.rotation:
            video.set_display_rotation(spec.rotation)
        tracks = [cast(AudioStream, container.add_stream(codec, rate=AUDIO_RATE_HZ)) for codec in spec.audio]
        for track in tracks:
            track.codec_context.layout = "stereo"
        for number in range(spec.frames):
            frame = av.VideoFrame.from_ndarray(draw(number, spec), format="rgb24")
            frame = frame.reformat(format=spec.pixel_format)
            frame.pts = number if spec.times is None else spec.times[number]
            frame.time_base = spec.time_base or Fraction(1, spec.rate)
            container.mux(video.encode(frame))
        for place, track in enumerate(tracks):
            _add_audio(container, track, spec.frames / spec.rate, 440.0 * (place + 1))
        container.mux(video.encode(None))


def _options(spec: VideoSpec) -> dict[str, str]:
    fast = {"preset": "ultrafast"} if spec.codec in ("libx264", "libx265") else {}
    quiet = {"x265-params": "log-level=error"} if spec.codec == "libx265" else {}
    return {**fast, **quiet, **spec.options}


def _add_audio(container: av.container.OutputContainer, track: AudioStream, seconds: float, pitch_hz: float) -> None:
    for start in range(0, round(seconds * AUDIO_RATE_HZ), AUDIO_FRAME):
        angle = (start + np.arange(AUDIO_FRAME)) * (2 * np.pi * pitch_hz / AUDIO_RATE_HZ)
        wave = np.repeat((np.sin(angle) * 8000).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


@dataclass(frozen=True)
class Decoded:
    """A video read back.

    luma:  uint8 or uint16 (height, width) of each frame, as stored
    times: seconds of each frame
    """

    luma: list[NDArray[np.uint8]]
    times: list[Fraction]
    formats: set[str]
    rotation: int


def read_video(path: Path) -> Decoded:
    """Decode every frame."""
    luma, times, formats, rotation = [], [], set(), 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            plane = frame.planes[0]
            samples = np.frombuffer(memoryview(plane), np.uint16 if "10" in frame.format.name else np.uint8)
            rows = samples.reshape(-1, plane.line_size // samples.itemsize)
            luma.append(cast("NDArray[np.uint8]", rows[: frame.height, : frame.width].copy()))
            times.append(frame.pts * fraction(frame.time_base))
            formats.add(frame.format.name)
            rotation = frame.rotation
    return Decoded(luma, times, formats, rotation)


def audio_packets(path: Path, track: int = 0) -> list[bytes]:
    """The payload of every packet of a audio track."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def cut_video(source: Path, target: Path, frames: int) -> Path:
    """Copy the packets of the first frames of the video, and those of the audio beside them; return the target."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as cut:
        video = whole.streams.video[0]
        wanted = [stream for stream in whole.streams if stream is video or stream.type == "audio"]
        copies = {stream.index: cut.add_stream_from_template(stream) for stream in wanted}
        for packet in whole.demux(*wanted):
            frames -= packet.stream is video
            if frames < 0:
                break
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                cut.mux(packet)
    return target
