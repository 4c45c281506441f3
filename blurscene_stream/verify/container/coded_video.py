"""Packets of AV1, VP9 and FFV1, which show one picture each; and of codecs that cannot be taken apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from blurscene_stream.source.inspection.decoding import Coding
from blurscene_stream.verify.container.av1_frames import ReferenceSlots, SequenceHeader
from blurscene_stream.verify.container.nal_units import NalVideo
from blurscene_stream.verify.container.packet_ends import PacketEnds
from blurscene_stream.verify.container.stray import CodedVideo, Stray

MAX_HEADER_BYTES = 256
"""Of a codec's own header in a container; those of our encoders have 4 to 200."""

# AV1: types of OBUs and of metadata (AV1 specification, 6.2.2 and 6.7.1)
SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, METADATA, FRAME = 1, 2, 3, 5, 6
HDR_METADATA_BYTES = {1: 4, 2: 24}  # light level, mastering display; then the type before them and a bit behind
OBU_NAMES = {4: "tiles alone", 5: "metadata", 7: "a second header of a frame", 8: "a list of tiles", 15: "padding"}

FFV1_FOOTER_BYTES = 8  # of a slice with a checksum: its size, a status and the checksum (RFC 9043, 4.8)
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Av1Video:
    """Takes packets of AV1 apart, as far as they are OBUs. What is coded and not shown at once must be shown later."""

    def __init__(self) -> None:
        self._sequence = b""  # of the packets; encoders guess that of the header before they begin
        self._slots = ReferenceSlots()
        self._once: dict[object, bytes] = {}  # metadata, by type: the same in the whole file
        self._shown = 0

    @property
    def pictures(self) -> int:
        """Return how many pictures must have been shown by now."""
        return self._slots.pictures

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for an AV1CodecConfigurationRecord."""
        if len(data) < 4 or data[0] != 0x81:
            yield Stray(offset, len(data), "no header of av1")
            return
        yield from self._units(offset + 4, data[4:], (SEQUENCE_HEADER, METADATA))
        self._sequence = b""

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one temporal unit."""
        self._shown = 0
        yield from self._units(
            offset, data, (SEQUENCE_HEADER, TEMPORAL_DELIMITER, METADATA, FRAME_HEADER, FRAME), in_packet=True
        )
        if self._shown != 1:
            yield Stray(offset, len(data), f"{self._shown or 'no'} shown pictures in the packet of one")

    def _units(self, offset: int, data: bytes, allowed: tuple[int, ...], in_packet: bool = False) -> Iterator[Stray]:
        at, seen = 0, set[int]()
        while at < len(data):
            header, start = data[at], at
            at, size = _leb128(data, at + 1)
            if header & 0x87 != 2 or at + size > len(data):  # neither extended, for layers, nor without its size
                yield Stray(offset + start, len(data) - start, "no OBU that an encoder of ours writes")
                return
            obu_type, body = header >> 3 & 15, data[at : at + size]
            at += size
            is_repeated = in_packet and obu_type in seen and obu_type in (SEQUENCE_HEADER, TEMPORAL_DELIMITER)
            seen.add(obu_type)
            if is_repeated or not (obu_type in allowed and self._is_own(obu_type, body)):
                what = OBU_NAMES.get(obu_type, f"an OBU of type {obu_type}")
                yield Stray(offset + start, at - start, f"{what}, which no encoder of ours writes")

    def _is_own(self, obu_type: int, body: bytes) -> bool:
        if obu_type == SEQUENCE_HEADER:
            self._sequence = self._sequence or body
            return body == self._sequence and len(body) <= MAX_HEADER_BYTES
        if obu_type == TEMPORAL_DELIMITER:
            return not body
        if obu_type == METADATA:
            is_hdr = len(body) - 2 == HDR_METADATA_BYTES.get(body[0] if body else 0)
            return is_hdr and self._once.setdefault(body[0], body) == body
        if obu_type == FRAME_HEADER:  # show_existing_frame, the slot, and the trailing bits
            self._shown += 1
            if len(body) == 1 and body[0] & 0x8F == 0x88:
                self._slots.show(body[0] >> 4 & 7)
                return True
            return False
        return self._is_frame(body)

    def _is_frame(self, body: bytes) -> bool:
        try:
            self._shown += self._slots.add(SequenceHeader(self._sequence), body)
        except (IndexError, ValueError):
            return False
        return not body[0] & 0x80


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
    """Takes packets of VP9 apart: each is one frame, which is shown. Our encoders write no other ones."""

    def __init__(self) -> None:
        self.pictures = 0

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the VP codec configuration of MP4; Matroska has none, or features in 12 bytes."""
        if len(data) > 12:
            yield Stray(offset, len(data), "no header of vp9")

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for a frame; a superframe (VP9 specification, annex B) holds frames that are not shown."""
        self.pictures += 1
        if len(data) > 1 and data[-1] & 0xE0 == 0xC0:
            index_bytes = 2 + ((data[-1] >> 3 & 3) + 1) * ((data[-1] & 7) + 1)
            if data[-index_bytes:][0] == data[-1]:
                yield Stray(offset, len(data), "several pictures in the packet of one")
                return
        if not _vp9_is_shown(data):
            yield Stray(offset, len(data), "a picture that is not shown at once")


def _vp9_is_shown(frame: bytes) -> bool:
    """Read show_existing_frame, behind which nothing may follow, frame_type and show_frame (6.2)."""
    first = int.from_bytes(frame[:2].ljust(2, b"\0"), "big")
    at = 10 if first >> 12 & 3 == 3 else 11  # profile 3 has one more bit before it
    return len(frame) <= 2 if first >> at & 1 else bool(first >> (at - 2) & 1)


class Ffv1Video:
    """Takes packets of FFV1 apart, as far as they are slices with checksums."""

    def __init__(self, size: tuple[int, int]) -> None:
        """`size`: width and height of the pictures."""
        self.pictures = 0
        self._coding = Coding("ffv1", b"", size)
        self._ends = PacketEnds()

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the configuration record (RFC 9043, 4.3)."""
        self._coding = replace(self._coding, header=data)
        if len(data) > MAX_HEADER_BYTES:
            yield Stray(offset, len(data), "a header of ffv1 that is too long")

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one frame: slices, each with its size in its footer."""
        self.pictures += 1
        end, slices = len(data), list[slice]()
        while end >= FFV1_FOOTER_BYTES:
            footer = end - FFV1_FOOTER_BYTES
            end = footer - int.from_bytes(data[footer : footer + 3], "big")
            slices.append(slice(max(end, 0), footer))
        if end:
            yield Stray(offset, len(data), "a frame that is not made of slices with checksums")
            return
        for one in slices:
            if not self._ends.are_read(self._coding, data, one, True, partial(with_checksum, one)):
                what = "a slice behind whose end something follows that no decoder reads"
                yield Stray(offset + one.start, one.stop - one.start, what)


def with_checksum(place: slice, data: bytes) -> bytes:
    """Make the checksum of a slice right: CRC-32 with the highest bit first, from 0 (RFC 9043, 4.9.3)."""
    end = place.stop + FFV1_FOOTER_BYTES - 4
    mirrored = zlib.crc32(data[place.start : end].translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return data[:end] + mirrored.to_bytes(4, "little").translate(MIRRORED) + data[end + 4 :]


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
}


def coded_video(codec: str, size: tuple[int, int] = (0, 0)) -> CodedVideo:
    """Return what takes packets of a codec apart, by FFmpeg's name.

    size: width and height of the pictures, for a codec that does not say them
    """
    if codec == "ffv1":
        return Ffv1Video(size)
    return CODECS[codec]() if codec in CODECS else OtherVideo(codec)
