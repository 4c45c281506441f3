"""What a camera's packets become, without a camera: a file's packets stand in for them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
import pytest
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SourceLostError
from blurscene_stream.source.container.stream_selection import select_streams
from blurscene_stream.source.frames.video_decoder import DecodedFrame
from blurscene_stream.source.live import LiveReader, join_slices

Packets: TypeAlias = "Iterator[Packet[Stream]]"
HOUR_S = 3600


class Camera:
    """A file whose packets go through `change` first."""

    def __init__(self, container: InputContainer, change: Callable[[Packets], Packets]) -> None:
        self._container = container
        self._change = change

    def demux(self, streams: Any) -> Packets:
        return self._change(packet for packet in self._container.demux(streams) if packet.size)


def read(path: Path, change: Callable[[Packets], Packets]) -> Generator[DecodedFrame | Packet[Stream]]:
    with av.open(str(path)) as container:
        camera = cast(InputContainer, Camera(container, change))
        yield from LiveReader(camera, select_streams(container, "rtsp://camera", Settings()), max_wait_s=5).read()


def shifted(packets: Packets, seconds: int, of: str = "") -> Packets:
    for packet in packets:
        if not of or packet.stream.type == of:
            assert packet.pts is not None and packet.dts is not None
            packet.pts += round(seconds / packet.time_base)
            packet.dts += round(seconds / packet.time_base)
        yield packet


def untimed_first(packets: Packets) -> Packets:
    first = next(packet for packet in packets if packet.stream.type == "video")
    first.pts = first.dts = None
    yield first
    yield from packets


def set_back(packets: Packets) -> Packets:
    kept = list(packets)
    yield from shifted(iter(kept[: len(kept) // 2]), HOUR_S)
    yield from kept[len(kept) // 2 :]


def times(path: Path, change: Callable[[Packets], Packets]) -> tuple[list[int], list[int]]:
    """Of all pictures that have one, and of all audio packets."""
    pictures: list[int] = []
    audio: list[int] = []
    with pytest.raises(SourceLostError, match="the stream ended"), closing(read(path, change)) as events:
        for event in events:
            made, times = (event.frame, pictures) if isinstance(event, DecodedFrame) else (event, audio)
            if made.pts is not None:
                times.append(made.pts)
    return pictures, audio


def rising(numbers: list[int]) -> bool:
    return len(numbers) > 10 and numbers == sorted(set(numbers))


@pytest.mark.parametrize("change", [lambda it: shifted(it, HOUR_S), untimed_first, lambda it: it])
def test_time_starts_with_the_first_picture(walker: Path, change: Callable[[Packets], Packets]) -> None:
    """A camera's clock may show hours, and may show nothing at first."""
    pictures, audio = times(walker, change)
    assert pictures[0] == 0
    assert len(pictures) >= 24
    assert 0 <= audio[0] < 48_000 / 10
    assert rising(pictures)
    assert rising(audio)


def test_audio_that_steps_back_is_left_out(walker: Path) -> None:
    def jumpy(packets: Packets) -> Packets:
        kept = list(packets)
        yield from kept[:50]
        yield from shifted(iter(kept[50:]), -1, "audio")

    assert rising(times(walker, jumpy)[1])


def test_a_clock_that_is_set_back_by_hours_is_a_loss(walker: Path) -> None:
    with pytest.raises(SourceLostError, match="clock was set back by 36"), closing(read(walker, set_back)) as events:
        list(events)


def test_audio_alone_is_a_loss(walker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter(range(10_000))
    monkeypatch.setattr("blurscene_stream.source.live.time.monotonic", lambda: float(next(now_s)))

    def deaf(packets: Packets) -> Packets:
        return (packet for packet in packets if packet.stream.type == "audio")

    with pytest.raises(SourceLostError, match="no picture for too long"), closing(read(walker, deaf)) as events:
        list(events)


def test_the_slices_of_a_key_frame_are_one_picture(walker: Path) -> None:
    """As GStreamer's payloader cuts them: parameter sets, slice, the same parameter sets, slice."""
    sets, start = b"\0\0\0\1\x67sps\0\0\0\1\x68pps", b"\0\0\0\1\x65"
    whole, rest = sets + start + b"\x88picture", sets + start + b"\x08rest"
    later = b"\0\0\0\1\x41\x9alater"
    with av.open(str(walker)) as container:
        video = container.streams.video[0]

        def packet(data: bytes, pts: int | None, key: bool) -> Packet[Stream]:
            made: Packet[Stream] = Packet(data)
            made.stream, made.time_base, made.is_keyframe = video, Fraction(1, 90_000), key
            made.pts = made.dts = pts
            return made

        sent = [packet(whole, None, True), packet(rest, 7, True), packet(later, 9, False), packet(whole, 11, True)]
        joined = list(join_slices(sent, video))
        assert [bytes(made) for made in joined] == [whole + rest, later, whole]
        assert [made.pts for made in joined] == [7, 9, 11]
