"""Reads a file from end to end, and does not take the end of the data for success."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError, SourceError, reason
from blurscene_stream.source.completeness import missing_bytes
from blurscene_stream.source.damage import Damage, Decoded
from blurscene_stream.source.edits import Heard, promised_packets
from blurscene_stream.source.origin import Origin
from blurscene_stream.source.streams import Selection

# One packet is one picture with these, so that a missing picture is a damaged one. (VP8 and VP9 have hidden
# frames, MPEG-4 part 2 may pack two pictures into a packet.)
ONE_PICTURE_A_PACKET = ("h264", "hevc", "av1", "mjpeg", "prores", "ffv1", "dnxhd", "mpeg1video", "mpeg2video")
# From PyAV 19 on, tags that are not UTF-8 are no error any more, and the argument is gone.
LENIENT_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
PICTURE_FORMATS = ("image2", "_pipe")
LISTS = ("concat", "hls", "dash", "imf")  # libav goes on without a part that is missing


def open_file(path: Path) -> InputContainer:
    """Open a video file.

    Raises SourceError when it is not there or not a video, CorruptInputError when it is cut short.
    """
    try:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file")
        if path.is_char_device():
            raise SourceError(f"{path}: is a terminal or a device, a video is expected")
        if path.is_dir():
            raise SourceError(f"{path}: is a folder, a video file is expected")
    except OSError as error:  # too long, or in a folder that may not be looked at
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
    try:
        options = {"protocol_whitelist": "file"}  # nothing is fetched because of what a file holds
        container: InputContainer = av.open(f"file:{path}", options=options, **LENIENT_TAGS)
    except (av.error.FFmpegError, OSError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty") from error
        if _looks_cut(path):
            raise CorruptInputError(f"{path}: the file is cut short; nothing was written") from error
        raise SourceError(f"{path}: cannot be read as a video: {reason(error)}") from error
    try:
        refuse_others(path, container.format.name)
        with _held(path) as file:
            _whole_size(path, file, container)
    except SourceError:
        container.close()
        raise
    return container


def refuse_others(path: Path, form: str) -> None:
    """Refuse what libav can read, but is not one video.

    form: libav's name of the format
    Raises SourceError.
    """
    if form.endswith(PICTURE_FORMATS):
        raise SourceError(f"{path}: is a single picture, a video is expected")
    if form in LISTS:
        raise SourceError(f"{path}: is a list of other files; give the video itself")


def _looks_cut(path: Path) -> bool:
    """An MP4 that libav cannot open at all: its index comes last, and is gone."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp" and missing_bytes(file, "mp4") > 0
    except OSError:
        return False


def read_file(container: InputContainer, streams: Selection, path: Path) -> Generator[Decoded | Packet[Stream]]:
    """Decoded pictures and copied packets, in the order of the file.

    Raises CorruptInputError when the file is cut short or a packet cannot be decoded.
    """
    with _held(path) as file:
        size = _whole_size(path, file, container)
        yield from decoded(container, streams, path)
        if _whole_size(path, file, container) < size:
            raise CorruptInputError(f"{path}: has become shorter while it was read; nothing was written")


def decoded(container: InputContainer, streams: Selection, path: Path) -> Generator[Decoded | Packet[Stream]]:
    """Decoded pictures and copied packets, in order.

    Raises CorruptInputError when one cannot be decoded, or there are fewer pictures than the container promised.
    """
    tally = _Tally(streams.video, str(path))
    packets = map(Origin(container, str(path)), container.demux([streams.video, *streams.copied]))
    heard = {stream.index: Heard() for stream in streams.copied if stream.type == "audio"}
    try:
        for packet in packets:
            if packet.stream.index == streams.video.index:
                yield from tally.count(packet)
            elif packet.size and packet.stream.index in heard:
                for sound in heard[packet.stream.index](packet):
                    tally.check_sound(sound)
                    yield sound
            elif packet.size and not packet.is_discard:
                yield packet
        yield from tally.rest()
    except (av.error.FFmpegError, OSError) as error:
        raise CorruptInputError(
            f"{path}: damaged after {tally.decoded} frames: {reason(error)}; nothing was written"
        ) from error
    tally.check(container)


def _held(path: Path) -> AbstractContextManager[BinaryIO | None]:
    """The file held open, so that at the end it is this one that is asked; None for a pipe, which has no size."""
    try:
        return path.open("rb") if path.is_file() else nullcontext()
    except OSError as error:
        raise CorruptInputError(f"{path}: cannot be read any more: {reason(error)}; nothing was written") from error


def _whole_size(path: Path, file: BinaryIO | None, container: InputContainer) -> int:
    if file is None:
        return 0
    try:
        missing = missing_bytes(file, container.format.name)
        size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise CorruptInputError(f"{path}: cannot be read any more: {reason(error)}; nothing was written") from error
    if missing:
        raise CorruptInputError(f"{path}: the file is cut short, {missing} bytes are missing; nothing was written")
    return size


class _Tally:
    """Counts what went into the decoder against what came out of it."""

    def __init__(self, video: VideoStream, name: str) -> None:
        self._video = video
        self._name = name
        self._packets = 0
        self._shown = 0
        self._waiting: list[int] = []  # times of packets from before the first picture
        self._first: int | None = None
        self._fields = False
        self._damage = Damage()
        self._sounded: dict[int, int] = {}
        self.decoded = 0

    def count(self, packet: Packet[Stream]) -> Generator[Decoded]:
        """Decode one packet.

        Raises CorruptInputError when nobody can tell which pictures a damaged packet is for; libav's own error.
        """
        if packet.is_corrupt:
            if packet.pts is None:
                raise CorruptInputError(f"{self._name}: damaged after {self.decoded} frames; nothing was written")
            self._damage.begin(packet)
        if packet.size:
            self._packets += 1
            self._shown += not packet.is_discard
            if self._first is None and packet.pts is not None:
                self._waiting.append(packet.pts)
        for picture in packet.decode():
            assert isinstance(picture, VideoFrame)
            if self._first is None:
                self._first = picture.pts
            self._fields |= picture.interlaced_frame
            self.decoded += 1
            yield from self._damage.told(picture)

    def check_sound(self, packet: Packet[Stream]) -> None:
        """Sound is passed on as it is, and no container takes one whose time goes back.

        Raises CorruptInputError.
        """
        if packet.dts is None or packet.time_base is None:
            return
        last = self._sounded.get(packet.stream.index, packet.dts)
        if packet.dts < last:
            back_s = float((last - packet.dts) * packet.time_base)
            raise CorruptInputError(
                f"{self._name}: after {self.decoded} frames the time of the sound jumps back by {back_s:.3f} s; "
                "cut the file there; nothing was written"
            )
        self._sounded[packet.stream.index] = packet.dts

    def rest(self) -> Generator[Decoded]:
        """The pictures that wait for others at the end."""
        yield from self._damage.rest()

    def check(self, container: InputContainer) -> None:
        """At the end: was everything there that the container promised?

        Raises CorruptInputError when it was not, SourceError when there was no picture at all.
        """
        if self.decoded == 0:
            raise SourceError(f"{self._name}: no picture of the video can be decoded; convert it first")
        is_mp4 = "mp4" in container.format.name.split(",")
        promised = promised_packets(self._video, Path(self._name)) if is_mp4 else 0
        codec = self._video.codec_context.name
        if codec in ONE_PICTURE_A_PACKET and not self._fields:
            # pictures that lean on ones before the beginning of the file cannot be decoded, nor does a player show them
            leading = sum(self._first is not None and pts < self._first for pts in self._waiting)
            missing = self._shown - leading - self.decoded
        else:
            missing = 0
        if self._packets < promised or missing > 0:
            total = max(promised, self._shown)
            raise CorruptInputError(
                f"{self._name}: only {self.decoded} of {total} frames could be decoded, "
                "the file is cut short or damaged; nothing was written"
            )
