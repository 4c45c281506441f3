"""NAL units of H.264 (ITU-T H.264, 7.4.1) and HEVC (H.265, 7.4.2): one picture in each packet, and little else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from blurscene_stream.source.inspection.decoding import Coding
from blurscene_stream.verify.container.packet_ends import PacketEnds
from blurscene_stream.verify.container.parameter_sets import hidden_by_cropping
from blurscene_stream.verify.container.stray import Stray

START_CODE = re.compile(b"\0\0\0?\1")
ESCAPED_ZEROS = re.compile(b"\0\0\3")  # "emulation prevention", H.264 7.4.1.1

MAX_PARAMETER_SET_BYTES = 160
"""Of a sequence or picture parameter set; x264 and x265 write 5 to 70. There is one of each kind in a whole file, so
that not even a thumbnail fits into all of them."""
MAX_TEXT_BYTES = 4096
"""Of an encoder's own account of its settings: 700 in x264, 2,400 in x265. It is the same in a whole file."""
PICTURE_SEI_BYTES = {1: 4, 6: 4}
"""Picture timing (with none of a buffer) and recovery point, once in a picture: payload type (H.264 and H.265, annex D)
-> the most that it holds."""
FILE_SEI_BYTES = {45: 8, 129: 16, 137: 24, 144: 4, 147: 1}
"""Stereo, parameter sets, HDR, light level, transfer: the same in a whole file."""
USER_DATA = 5  # payload type of a text with a UUID
UUID_BYTES = 16

_VALUE = r"(?:[a-z]{1,16}|-?[0-9a-fx.]{1,16}(?:[:,/x]-?[0-9a-fx.]{1,16})*)"
_MASTER_DISPLAY = r"master(?:ing)?-display=(?:[GBRWPL]+\(\d+,\d+\)){5}"
ENCODER_TEXTS = {  # SEI in which x264 and x265 name themselves and their settings, after the UUID of each
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"): re.compile(
        r"x264 - core [ 0-9a-zA-Z+]{1,40} - H\.264/MPEG-4 AVC codec - Copy(?:left|right) 2003-20\d\d"
        rf" - http://www\.videolan\.org/x264\.html - options:"
        rf"(?P<options>(?: {_MASTER_DISPLAY}| [a-z0-9_-]{{1,32}}={_VALUE})+)\0?"
    ),
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"): re.compile(
        r"x265 \(build \d{1,4}\) - [- 0-9A-Za-z.+:\[\]]{1,120} - H\.265/HEVC codec - Copyright 2013-20\d\d"
        r" \(c\) Multicoreware, Inc - http://x265\.org - options:"
        rf"(?P<options>(?: {_MASTER_DISPLAY}| sar-width : sar-height=\d+:\d+|"
        rf" [a-z0-9-]{{1,40}}(?:={_VALUE}[a-z-]{{0,32}})?)+) ?\0?"
    ),
}


@dataclass(frozen=True, slots=True)
class Syntax:
    """Types of a codec's NAL units, of them the slices of key frames, and the length of their headers."""

    header_bytes: int
    slices: frozenset[int]
    keys: range
    parameter_sets: dict[int, str]
    sei: frozenset[int]
    delimiter: int
    names: dict[int, str]


SYNTAX = {
    "h264": Syntax(
        1,
        frozenset((1, 5)),
        range(5, 6),
        {7: "sequence parameter set", 8: "picture parameter set"},
        frozenset((6,)),
        9,
        {12: "filler data", 19: "an auxiliary picture", 20: "a picture of another view"},
    ),
    "hevc": Syntax(
        2,
        frozenset((*range(10), *range(16, 22))),
        range(16, 22),
        {32: "video parameter set", 33: "sequence parameter set", 34: "picture parameter set"},
        frozenset((39, 40)),
        35,
        {38: "filler data"},
    ),
}


class NalVideo:
    """Takes packets of H.264 or HEVC apart.

    pictures: how many pictures the packets so far must show
    """

    def __init__(self, codec: str) -> None:
        """`codec`: "h264" or "hevc"."""
        self.pictures = 0
        self._codec, self._syntax = codec, SYNTAX[codec]
        self._length_bytes = 0  # 0: NAL units begin with start codes, as in transport streams
        self._once: dict[object, bytes] = {}  # what may be there again, but not in another form
        self._header = b""
        self._ends = PacketEnds()
        self._slices = 0  # in this packet
        self._seen: set[object] = set()  # of what may be in a packet once

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for an AVCDecoderConfigurationRecord or an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15)."""
        fixed = 6 if self._codec == "h264" else 23
        if len(data) < fixed or data[0] != 1:
            yield Stray(offset, len(data), f"no header of {self._codec}")
            return
        self._header = data
        self._length_bytes = 1 + (data[4 if self._codec == "h264" else 21] & 3)
        try:
            found, end = _avc_units(data) if self._codec == "h264" else _hevc_units(data)
        except IndexError:
            yield Stray(offset, len(data), f"a header of {self._codec} that is cut short")
            return
        for start, size in found:
            yield from self._unit(offset + start, data[start : start + size], in_header=True)
        if data[end:]:
            yield Stray(offset + end, len(data) - end, f"behind the header of {self._codec}")

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one packet, which shows one picture."""
        self._slices = 0
        self._seen = set()
        self.pictures += 1
        spans = list(self._lengths(data) if self._length_bytes else _start_codes(data))
        end = 0
        for start, size in spans:
            yield from self._unit(offset + start, data[start : start + size])
            end = start + size
        if data[end:].strip(b"\0"):
            yield Stray(offset + end, len(data) - end, "no NAL unit")
        elif self._slices != 1:  # all our encoders write one; of several, one may lie under another
            yield Stray(offset, len(data), f"{self._slices or 'no'} slices in the packet of a picture, instead of one")
        else:
            yield from self._end(offset, data, spans)

    def _end(self, offset: int, data: bytes, spans: list[tuple[int, int]]) -> Iterator[Stray]:
        """Account for the end of the slice, which is one of the units in `spans`."""
        types = [self._nal_type(data[start : start + 2]) for start, _ in spans]
        place = next(number for number, nal_type in enumerate(types) if nal_type in self._syntax.slices)
        start, size = spans[place]
        sets = (unit for key, unit in self._once.items() if key in self._syntax.parameter_sets)
        header = self._header or b"".join(b"\0\0\1" + unit for unit in sets)
        is_key = types[place] in self._syntax.keys
        if not self._ends.are_read(Coding(self._codec, header), data, slice(start, start + size), is_key):
            yield Stray(offset + start, size, "a picture behind whose end something follows that no decoder reads")

    def _lengths(self, data: bytes) -> Iterator[tuple[int, int]]:
        at, width = 0, self._length_bytes
        while at + width < len(data):
            size = int.from_bytes(data[at : at + width], "big")
            if at + width + size > len(data):
                return
            yield at + width, size
            at += width + size

    def _unit(self, offset: int, unit: bytes, in_header: bool = False) -> Iterator[Stray]:
        syntax = self._syntax
        nal_type = -1 if len(unit) <= syntax.header_bytes else self._nal_type(unit)
        content = unit[syntax.header_bytes :]
        if nal_type in syntax.slices and not in_header:
            self._slices += 1
            if not content[0] & 0x80:  # first_mb_in_slice is 0; first_slice_segment_in_pic_flag
                yield Stray(offset, len(unit), "a slice that does not begin its picture")
        elif nal_type in syntax.parameter_sets:
            yield from self._parameter_set(offset, unit, nal_type)
        elif nal_type in syntax.sei:
            yield from self._sei(offset, unit, content)
        elif nal_type != syntax.delimiter or len(content) != 1 or not self._is_first("delimiter"):
            what = syntax.names.get(nal_type, "an empty NAL unit" if nal_type < 0 else f"a NAL unit of type {nal_type}")
            yield Stray(offset, len(unit), f"{what}, which no encoder of ours writes")

    def _is_first(self, what: object) -> bool:
        """Return True when this is not in the packet yet."""
        known = what in self._seen
        self._seen.add(what)
        return not known

    def _nal_type(self, unit: bytes) -> int:
        if self._codec == "h264":
            return unit[0] & 0x1F
        layer = (unit[0] & 1) << 5 | unit[1] >> 3
        return unit[0] >> 1 & 0x3F if layer == 0 else 64 + layer  # no player of one layer decodes it

    def _parameter_set(self, offset: int, unit: bytes, nal_type: int) -> Iterator[Stray]:
        name = self._syntax.parameter_sets[nal_type]
        if len(unit) > MAX_PARAMETER_SET_BYTES:
            yield Stray(offset, len(unit), f"a {name} that is too long")
        elif self._once.setdefault(nal_type, unit) != unit:
            yield Stray(offset, len(unit), f"another {name}")
        elif nal_type in (7, 33) and (hidden := hidden_by_cropping(self._codec, unescaped(unit))):
            yield Stray(offset, len(unit), f"a {name} that hides {hidden} of the coded picture")

    def _sei(self, offset: int, unit: bytes, content: bytes) -> Iterator[Stray]:
        try:
            messages = list(_sei_messages(unescaped(content)))
        except IndexError:
            yield Stray(offset, len(unit), "no supplemental information (SEI)")
            return
        for payload_type, body in messages:
            text = ENCODER_TEXTS.get(body[:UUID_BYTES]) if payload_type == USER_DATA else None
            if text is not None:
                is_own = _is_settings(text, body[UUID_BYTES:]) and self._once.setdefault(text, body) == body
            elif payload_type in FILE_SEI_BYTES:
                is_own = len(body) <= FILE_SEI_BYTES[payload_type]
                is_own &= self._once.setdefault(f"SEI {payload_type}", body) == body
            else:
                is_own = len(body) <= PICTURE_SEI_BYTES.get(payload_type, -1) and self._is_first(payload_type)
            if not is_own:
                yield Stray(
                    offset, len(unit), f"supplemental information (SEI {payload_type}) that no encoder of ours writes"
                )


def unescaped(content: bytes) -> bytes:
    """Return the content of a NAL unit as it was before escaping."""
    return ESCAPED_ZEROS.sub(b"\0\0", content)


def _start_codes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and size of each NAL unit behind a start code (H.264, annex B)."""
    found = [(one.start(), one.end()) for one in START_CODE.finditer(data)]
    if not found or found[0][0]:
        yield 0, found[0][0] if found else len(data)
    for (_, start), (end, _) in zip(found, [*found[1:], (len(data), 0)], strict=True):
        yield start, end - start


def _avc_units(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return start and size of each NAL unit, and where the record ends (ISO/IEC 14496-15, 5.3.3.1)."""
    found, at = [], 5
    for mask in (0x1F, 0xFF):
        count = data[at] & mask
        at += 1
        for _ in range(count):
            size = data[at] << 8 | data[at + 1]
            found.append((at + 2, size))
            at += 2 + size
    if data[1] in (100, 110, 122, 244) and len(data) > at:  # the profiles above Main; no extensions may follow
        at += 4 if data[at + 3] == 0 else 0
    return found, at


def _hevc_units(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Likewise (8.3.3.1)."""
    found, at = [], 23
    for _ in range(data[22]):
        count = data[at + 1] << 8 | data[at + 2]
        at += 3
        for _ in range(count):
            size = data[at] << 8 | data[at + 1]
            found.append((at + 2, size))
            at += 2 + size
    return found, at


def _sei_messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and payload of each message. Raises IndexError when something else follows."""
    at = 0
    while data[at:].rstrip(b"\0") != b"\x80":
        numbers = []
        for _ in range(2):
            number = 0
            while data[at] == 0xFF:
                number, at = number + 255, at + 1
            numbers.append(number + data[at])
            at += 1
        payload_type, size = numbers
        if at + size > len(data):
            raise IndexError
        yield payload_type, data[at : at + size]
        at += size


def _is_settings(text: re.Pattern[str], body: bytes) -> bool:
    """Return True when this is an encoder's account of its settings from end to end, each told once."""
    found = text.fullmatch(body.decode("latin-1")) if len(body) <= MAX_TEXT_BYTES else None
    keys = [option.partition("=")[0] for option in found["options"].split()] if found else []
    return bool(found) and len(keys) == len(set(keys))
