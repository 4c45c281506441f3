"""Packets of AV1, VP9 and FFV1, which show one picture each; and of codecs that cannot be taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blurscene_stream.verify.container.nal_units import NalVideo
from blurscene_stream.verify.container.stray import CodedVideo, Stray

MAX_HEADER_BYTES = 256
"""Of a codec's own header in a container; those of our encoders have 4 to 200."""

# AV1: types of OBUs and of metadata (AV1 specification, 6.2.2 and 6.7.1)
SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, TILE_GROUP, METADATA, FRAME, REDUNDANT_HEADER = 1, 2, 3, 4, 5, 6, 7
HDR_METADATA_BYTES = {1: 4, 2: 24}  # light level, mastering display; then the type before them and a bit behind
OBU_NAMES = {5: "metadata", 8: "a list of tiles", 15: "padding"}

FFV1_FOOTER_BYTES = 8  # of a slice with a checksum: its size, a status and the checksum (RFC 9043, 4.8)


class Av1Video:
    """Takes packets of AV1 apart, as far as they are OBUs. Pictures that are only referred to are not told apart."""

    def __init__(self) -> None:
        self.pictures = 0
        self._sequence = b""  # of the packets; encoders guess that of the header before they begin
        self._shown = 0

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for an AV1CodecConfigurationRecord."""
        if len(data) < 4 or data[0] != 0x81:
            yield Stray(offset, len(data), "no header of av1")
            return
        yield from self._units(offset + 4, data[4:], (SEQUENCE_HEADER, METADATA))
        self._sequence = b""

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one temporal unit."""
        self.pictures += 1
        self._shown = 0
        pictures = (FRAME_HEADER, TILE_GROUP, FRAME, REDUNDANT_HEADER)
        yield from self._units(offset, data, (SEQUENCE_HEADER, TEMPORAL_DELIMITER, METADATA, *pictures))
        if self._shown != 1:
            yield Stray(offset, len(data), f"{self._shown or 'no'} shown pictures in the packet of one")

    def _units(self, offset: int, data: bytes, allowed: tuple[int, ...]) -> Iterator[Stray]:
        at = 0
        while at < len(data):
            header, start = data[at], at
            at, size = _leb128(data, at + 1)
            if header & 0x87 != 2 or at + size > len(data):  # neither extended, for layers, nor without its size
                yield Stray(offset + start, len(data) - start, "no OBU that an encoder of ours writes")
                return
            obu_type, body = header >> 3 & 15, data[at : at + size]
            at += size
            if not (obu_type in allowed and self._is_own(obu_type, body)):
                what = OBU_NAMES.get(obu_type, f"an OBU of type {obu_type}")
                yield Stray(offset + start, at - start, f"{what}, which no encoder of ours writes")

    def _is_own(self, obu_type: int, body: bytes) -> bool:
        if obu_type == SEQUENCE_HEADER:
            self._sequence = self._sequence or body
            return body == self._sequence and len(body) <= MAX_HEADER_BYTES
        if obu_type == TEMPORAL_DELIMITER:
            return not body
        if obu_type == METADATA:
            return len(body) - 2 == HDR_METADATA_BYTES.get(body[0] if body else 0)
        if obu_type in (FRAME_HEADER, FRAME) and body:  # show_existing_frame, frame_type, show_frame (5.9.2)
            self._shown += bool(body[0] & 0x80) or bool(body[0] & 0x10)
        return bool(body)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return the offset behind a number and the number (4.10.5); one that is cut short is larger than any OBU."""
    number = 0
    for place in range(8):
        if at + place >= len(data):
            break
        number |= (data[at + place] & 0x7F) << 7 * place
        if not data[at + place] & 0x80:
            return at + place + 1, number
    return at, 1 << 60


class Vp9Video:
    """Takes packets of VP9 apart, as far as they are frames. Those that are only referred to are not told apart."""

    def __init__(self) -> None:
        self.pictures = 0

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the VP codec configuration of MP4; Matroska has none, or features in 12 bytes."""
        if len(data) > 12:
            yield Stray(offset, len(data), "no header of vp9")

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for a frame or a superframe (VP9 specification, annex B): frames, and an index of their sizes."""
        self.pictures += 1
        sizes, frames = [len(data)], data
        if data and data[-1] & 0xE0 == 0xC0:
            width, count = (data[-1] >> 3 & 3) + 1, (data[-1] & 7) + 1
            length = 2 + width * count
            index = data[-length:]
            if len(index) == length and index[0] == data[-1]:
                sizes = [int.from_bytes(index[1 + at : 1 + at + width], "little") for at in range(0, length - 2, width)]
                frames = data[:-length]
        shown = at = 0
        for size in sizes:
            shown += _vp9_is_shown(frames[at : at + size])
            at += size
        if at != len(frames) or 0 in sizes:
            yield Stray(offset, len(data), "a superframe that holds more or less than its index says")
        elif shown != 1:
            yield Stray(offset, len(data), f"{shown or 'no'} shown pictures in the packet of one")


def _vp9_is_shown(frame: bytes) -> bool:
    """Read show_existing_frame, frame_type and show_frame (VP9 specification, 6.2)."""
    first = int.from_bytes(frame[:2].ljust(2, b"\0"), "big")
    at = 10 if first >> 12 & 3 == 3 else 11  # profile 3 has one more bit before it
    return bool(first >> at & 1) or bool(first >> (at - 2) & 1)


class Ffv1Video:
    """Takes packets of FFV1 apart, as far as they are slices with checksums."""

    def __init__(self) -> None:
        self.pictures = 0

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the configuration record (RFC 9043, 4.3)."""
        if len(data) > MAX_HEADER_BYTES:
            yield Stray(offset, len(data), "a header of ffv1 that is too long")

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one frame: slices, each with its size in its footer."""
        self.pictures += 1
        end = len(data)
        while end >= FFV1_FOOTER_BYTES:
            footer = end - FFV1_FOOTER_BYTES
            end = footer - int.from_bytes(data[footer : footer + 3], "big")
        if end:
            yield Stray(offset, len(data), "a frame that is not made of slices with checksums")


class OtherVideo:
    """Counts the packets of a codec that is not taken apart, and says so."""

    def __init__(self, codec: str) -> None:
        self.pictures = 0
        self.codec = codec

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:  # noqa: ARG002 (a CodedVideo)
        """Account for nothing."""
        yield from ()

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:  # noqa: ARG002
        """Count."""
        self.pictures += 1
        yield from ()


CODECS: dict[str, Callable[[], CodedVideo]] = {
    "h264": lambda: NalVideo("h264"),
    "hevc": lambda: NalVideo("hevc"),
    "av1": Av1Video,
    "vp9": Vp9Video,
    "ffv1": Ffv1Video,
}


def coded_video(codec: str) -> CodedVideo:
    """Return what takes packets of a codec apart, by FFmpeg's name."""
    return CODECS[codec]() if codec in CODECS else OtherVideo(codec)
