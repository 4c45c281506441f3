"""A street of smooth noise that the camera pans over, and in it an object with much detail: made, and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from tests.detectors import CLASSES, SquareDetector
from tests.videos import encoded_once

WIDTH, HEIGHT, OBJECT_PX = 320, 240, 64
RATE = 25
AUDIO_HZ = 48_000

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What is special about a video; its suffix chooses the container.

    times:    in ticks of 1/1000 s
    hidden_s: of the audio, which an edit list cuts away
    rough:    samples over which the audio, a noise, changes; with 1 high tones are as loud as low ones
    """

    frames: int = 12
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    audio: tuple[str, ...] = ("aac",)
    options: dict[str, str] = field(default_factory=lambda: {"preset": "veryfast", "crf": "12"})
    rotation: int = 0
    times: Sequence[int] | None = None
    width: int = WIDTH
    height: int = HEIGHT
    hidden_s: float = 0.0
    rough: int = 12


def _smooth(seed: int, height: int, width: int, rough_px: int) -> NDArray[np.float64]:
    """Noise of mean 0 and deviation 1, that changes over `rough_px`."""
    noise = np.random.default_rng(seed).normal(size=(height // rough_px + 2, width // rough_px + 2))
    rows = np.linspace(0, noise.shape[0] - 1.001, height)
    columns = np.linspace(0, noise.shape[1] - 1.001, width)
    top, left = rows.astype(int), columns.astype(int)
    down, across = (rows - top)[:, None], columns - left
    upper = noise[top][:, left] * (1 - across) + noise[top][:, left + 1] * across
    lower = noise[top + 1][:, left] * (1 - across) + noise[top + 1][:, left + 1] * across
    made = upper * (1 - down) + lower * down
    return np.asarray(made / made.std())


STREET = 95 + 18 * _smooth(1, HEIGHT + 40, WIDTH + 400, 12) + 8 * _smooth(2, HEIGHT + 40, WIDTH + 400, 4)
OBJECT = 105 + 35 * _smooth(3, OBJECT_PX, OBJECT_PX, 4)


def object_at(number: int) -> tuple[int, int, int, int]:
    """Where the object is in frame `number`."""
    x, y = 40 + 5 * number % 180, 80 + 2 * number % 80
    return x, y, x + OBJECT_PX, y + OBJECT_PX


def picture(number: int, scene: Scene) -> Rgb:
    """Frame `number` as uint8 RGB (height, width, 3)."""
    moved = STREET[: scene.height, 3 * number : 3 * number + scene.width].copy()
    x0, y0, x1, y1 = object_at(number)
    seen = moved[y0:y1, x0:x1]
    seen[...] = OBJECT[: seen.shape[0], : seen.shape[1]]
    tint = np.array([1.0, 0.95, 0.85])
    return np.asarray((moved[:, :, None] * tint).clip(0, 255), np.uint8)


class ObjectDetector(SquareDetector):
    """Knows where the object is; `seen` may say otherwise."""

    def __init__(self, seen: Callable[[int], bool] = lambda _: True) -> None:
        super().__init__()
        self._seen = seen

    def _find(self, frame: Frame) -> Detections:
        if not self._seen(frame.number):
            return Detections.empty(CLASSES)
        box = np.array([object_at(frame.number)], np.float32)
        return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES)


def make_scene(path: Path, scene: Scene = Scene()) -> Path:
    """Write the video that `scene` describes."""
    return encoded_once(path, repr(scene), partial(_encode, scene=scene))


def _encode(path: Path, scene: Scene) -> None:
    ticks = Fraction(1, 1000) if scene.times else Fraction(1, RATE)
    with av.open(str(path), "w") as container:
        video = cast(VideoStream, container.add_stream(scene.codec, rate=RATE, options=scene.options))
        video.width, video.height, video.pix_fmt = scene.width, scene.height, scene.pixel_format
        video.codec_context.time_base = video.time_base = ticks
        if scene.rotation:
            video.set_display_rotation(scene.rotation)
        tracks = [cast(AudioStream, container.add_stream(codec, rate=_rate(codec))) for codec in scene.audio]
        for track in tracks:
            track.codec_context.layout = "mono"
        for number in range(scene.frames):
            frame = VideoFrame.from_ndarray(picture(number, scene), format="rgb24").reformat(format=scene.pixel_format)
            frame.pts, frame.time_base = scene.times[number] if scene.times else number, ticks
            container.mux(video.encode(frame))
        for place, track in enumerate(tracks):
            count = round((scene.hidden_s + scene.frames / RATE) * _rate(track.codec_context.name))
            _write_audio(container, track, scene.hidden_s, _smooth(place, 1, count, scene.rough)[0])
        container.mux(video.encode(None))


def _rate(codec: str) -> int:
    return 8000 if codec in ("pcm_mulaw", "pcm_alaw") else AUDIO_HZ


def _write_audio(container: OutputContainer, track: AudioStream, hidden_s: float, noise: NDArray[np.float64]) -> None:
    rate = _rate(track.codec_context.name)
    first = -round(hidden_s * rate)
    wave = (3000 * noise).clip(-32000, 32000).astype(np.int16)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first + start, Fraction(1, rate)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


Picture = NDArray[np.uint8]
Change = Callable[[list[Picture]], list[Picture]]


def frames_changed(source: Path, target: Path, change: Change, crf: int = 10) -> Path:
    """Encode the pictures of `source` once more, changed; yuv420p, (height * 3 / 2, width) each. Sound is copied."""
    with av.open(str(source)) as container:
        decoded = list(container.decode(video=0))
        times = [(frame.pts, frame.time_base) for frame in decoded]
        pictures = change([np.asarray(frame.to_ndarray(), np.uint8) for frame in decoded])
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        like = old.streams.video[0]
        options = {"preset": "veryfast", "crf": str(crf), "x264-params": "sliced-threads=0"}
        video = new.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = like.width, like.height, "yuv420p"
        video.codec_context.time_base = video.time_base = cast(Fraction, like.time_base)
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams.audio}
        for made, (pts, base) in zip(pictures, times, strict=False):
            frame = VideoFrame.from_ndarray(made, format="yuv420p")
            frame.pts, frame.time_base = pts, cast(Fraction, base)
            new.mux(video.encode(frame))
        new.mux(video.encode(None))
        for packet in _audio_packets(old):
            packet.stream = copies[packet.stream.index]
            new.mux(packet)
    return target


def _audio_packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    yield from (packet for packet in container.demux() if packet.size and packet.stream.type == "audio")


def audio_changed(source: Path, target: Path, change: Callable[[list[Packet[Stream]]], list[Packet[Stream]]]) -> Path:
    """Copy a video with the packets of its audio changed."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams if stream.type != "data"}
        packets = [packet for packet in old.demux() if packet.size and packet.stream.index in copies]
        audio = [packet for packet in packets if packet.stream.type == "audio"]
        for packet in [packet for packet in packets if packet.stream.type != "audio"] + change(audio):
            packet.stream = copies[packet.stream.index]
            new.mux(packet)
    return target


def with_audio_of(video: Path, audio: Path, target: Path) -> Path:
    """The pictures of one file and every packet of audio of another, as they are."""
    with av.open(str(video)) as seen, av.open(str(audio)) as heard, av.open(str(target), "w") as new:
        pictures = new.add_stream_from_template(seen.streams.video[0])
        track = new.add_stream_from_template(heard.streams.audio[0])
        for shown in seen.demux(seen.streams.video[0]):
            if shown.size:
                shown.stream = pictures
                new.mux(shown)
        for packet in _audio_packets(heard):
            packet.stream = track
            new.mux(packet)
    return target
