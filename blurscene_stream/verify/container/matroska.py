"""Byte accounting of Matroska and WebM (RFC 9559): elements that libav writes, each once, and blocks of its tracks."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from blurscene_stream.source.container.ebml import EBML_HEADER, MATROSKA_SEGMENT, Element, ebml_number, elements
from blurscene_stream.verify.container.matroska_index import BLOCK, CLUSTER, CUE_POINT, SEEK, SIMPLE_BLOCK, IndexEntries
from blurscene_stream.verify.container.stray import CodedVideo, OpenVideo, Stray, Texts

VOID, CHECKSUM = 0xEC, 0xBF
TAG = 0x7373
TRACK, TRACK_NUMBER, TRACK_TYPE, CODEC_ID, CODEC_HEADER = 0xAE, 0xD7, 0x83, 0x86, 0x63A2
VIDEO, WIDTH, HEIGHT = 1, 0xB0, 0xBA
PARENTS = {  # id -> those of the elements that may be in it
    EBML_HEADER: {0x4286, 0x42F7, 0x42F2, 0x42F3, 0x4282, 0x4287, 0x4285},
    MATROSKA_SEGMENT: {
        VOID,
        0x114D9B74,
        0x1549A966,
        0x1654AE6B,
        CLUSTER,
        0x1C53BB6B,
        0x1254C367,
        0x1941A469,
        0x1043A770,
    },
    0x114D9B74: {SEEK},  # SeekHead
    SEEK: {0x53AB, 0x53AC},
    0x1549A966: {0x2AD7B1, 0x4D80, 0x5741, 0x4489, 0x4461, 0x7BA9, 0x73A4},  # Info
    0x1654AE6B: {TRACK, VOID},  # Tracks
    TRACK: {
        *(
            VOID,
            TRACK_NUMBER,
            TRACK_TYPE,
            CODEC_ID,
            CODEC_HEADER,
            0x73C5,
            0xB9,
            0x88,
            0x55AA,
            0x55AB,
            0x55AC,
            0x55AD,
            0x55AE,
        ),
        *(0x55AF, 0x9C, 0x22B59C, 0x536E, 0x23E383, 0x56AA, 0x56BB, 0x55EE, 0xE0, 0xE1),
    },
    0xE0: {0xB0, 0xBA, 0x9A, 0x9D, 0x53B8, 0x53C0, 0x54B0, 0x54BA, 0x54B2, 0x55B0, 0x7670},  # Video
    0x55B0: {*range(0x55B1, 0x55BE), 0x55D0},  # Colour
    0x7670: {0x7671, 0x7673, 0x7674, 0x7675},  # Projection, which tells a rotation
    0x55D0: set(range(0x55D1, 0x55DB)),
    0xE1: {0x9F, 0xB5, 0x78B5, 0x6264},  # Audio
    CLUSTER: {0xE7, SIMPLE_BLOCK, 0xA0, 0xAB, 0xA7},
    0xA0: {BLOCK, 0x9B, 0xFB, 0x75A2},  # BlockGroup
    0x1C53BB6B: {CUE_POINT},  # Cues
    CUE_POINT: {0xB3, 0xB7},
    0xB7: {0xF7, 0xF1, 0xF0, 0xB2},
    0x1254C367: {TAG, VOID},  # Tags
    TAG: {0x63C0, 0x67C8},
    0x63C0: {0x63C5, 0x63C4, 0x63C6},
    0x67C8: {0x45A3, 0x447A, 0x4484, 0x4487},
    0x1941A469: {0x61A7},  # Attachments
    0x61A7: {0x467E, 0x466E, 0x4660, 0x465C, 0x46AE},
    0x1043A770: {0x45B9},  # Chapters
    0x45B9: {0x45BC, 0x45BD, 0x45DB, 0xB6},
    0xB6: {0x73C4, 0x91, 0x92, 0x98, 0x4598, 0x80},
    0x80: {0x85, 0x437C},
}
REPEATED = {SEEK, TRACK, CLUSTER, SIMPLE_BLOCK, 0xA0, CUE_POINT, 0xB7, TAG, 0x67C8, 0x61A7, 0xB6, VOID}
HOLDING = {TAG: {0x67C8}, 0x67C8: {0x45A3, 0x4487}, 0x61A7: {0x466E, 0x4660, 0x465C}, 0x45B9: {0xB6}}
"""What must not be missing, or libav reads nothing of the element: a tag, its text, an attached file, a chapter."""
READ_TEXTS = {0x7BA9, 0x536E, 0x4487, 0x466E, 0x4660, 0x467E, 0x85}  # titles, names and tags, which libav reads back
WORDS = {  # other texts
    0x4282: "matroska|webm",
    **dict.fromkeys((0x22B59C, 0x447A, 0x437C), "[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}"),  # languages
    0x86: "[A-Z0-9_/]{1,32}",  # of a codec
    0x45A3: "[0-9A-Za-z_:./ -]{1,64}",  # of a tag: a key, to libav, in its own spelling
}
LIBRARIES = {0x4D80, 0x5741}  # names of the programs that have made the file
LIBRARY = re.compile(rb"Lavf[0-9.]*")
LONG_UIDS = {0x73A4}  # of a segment
UIDS, TARGETS = {0x73C5, 0x46AE, 0x73C4, 0x45BC}, {0x63C5, 0x63C6, 0x63C4}
ATTACHED_DATA = 0x465C  # of a file that passes by name only: a stream, to libav
MAX_NUMBER_BYTES, MAX_UID_BYTES = 8, 16
MAX_VOID_BYTES = 1 << 12  # libav leaves place for a head of the file, and for headers of codecs
CODECS = {"V_MPEG4/ISO/AVC": "h264", "V_MPEGH/ISO/HEVC": "hevc", "V_AV1": "av1", "V_VP9": "vp9", "V_FFV1": "ffv1"}
LACING = 0x06  # flags of a block that holds several frames
BLOCK_HEADER_BYTES = 3  # time and flags, behind the number of the track


@dataclass(slots=True)
class Track:
    """Header of a track."""

    number: int = 0
    type: int = 0
    codec: str = ""
    header: tuple[int, bytes] = (0, b"")
    width: int = 0
    height: int = 0


class MatroskaBytes:
    """Accounts for the bytes of one file.

    packets: how many blocks were found, of all tracks that are no video
    """

    def __init__(self, file: BinaryIO, size: int, open_video: OpenVideo, texts: Texts) -> None:
        self.packets = 0
        self._file, self._size, self._open_video, self._texts = file, size, open_video, texts
        self._index = IndexEntries(file, size)
        self._tracks: dict[int, CodedVideo | None] = {}
        self._track = Track()
        self._uids, self._targets = {0}, dict[int, int]()  # the second: with offsets

    def strays(self) -> Iterator[Stray]:
        """Yield what nothing accounts for."""
        yield from self._elements(0, self._size, {EBML_HEADER, MATROSKA_SEGMENT})
        for uid, offset in self._targets.items():
            if uid not in self._uids:
                yield Stray(offset, 8, "tags of a track, a chapter or an attachment that is not there")

    def _elements(self, start: int, end: int, allowed: set[int]) -> Iterator[Stray]:
        at, seen = start, set[int]()
        for one in elements(self._file, start, end):
            inner_end = self._end_of(one, end)
            if inner_end > end:
                break
            at = inner_end
            is_first = one.id not in seen or one.id in REPEATED
            seen.add(one.id)
            if (one.id == VOID and VOID in allowed) or (one.id == CHECKSUM and one.at == start):
                yield from self._filling(one, inner_end, end)
            elif one.id not in allowed or not is_first:
                yield Stray(one.at, inner_end - one.at, f"an element {one.id:#x} that libav does not write here")
            elif one.id in PARENTS:
                yield from self._parent(one, inner_end)
            else:
                yield from self._leaf(one, inner_end)
        if at < end:
            yield Stray(at, end - at, "no element" if at > start or end < self._size else "no Matroska")

    def _end_of(self, one: Element, parent_end: int) -> int:
        """Return where an element ends; a segment that is written to a pipe does not say it."""
        if one.end is not None:
            return one.end
        return parent_end if one.id == MATROSKA_SEGMENT else self._size + 1

    def _parent(self, one: Element, end: int) -> Iterator[Stray]:
        if one.id == TRACK:
            self._track = Track()
        elif one.id == MATROSKA_SEGMENT:
            self._index.segment_start = one.start
        elif one.id in (SEEK, CUE_POINT) and not self._index.is_own(one, end):
            yield Stray(one.at, end - one.at, "an entry of an index that points at nothing, or is there again")
        inside = {child.id for child in elements(self._file, one.start, end)} if one.id in HOLDING else set()
        if not HOLDING.get(one.id, set()) <= inside:
            yield Stray(one.at, end - one.at, f"an element {one.id:#x} without what belongs into it")
        yield from self._elements(one.start, end, PARENTS[one.id])
        if one.id == TRACK:
            yield from self._open_track(one)

    def _open_track(self, one: Element) -> Iterator[Stray]:
        track = self._track
        if track.number in self._tracks:
            yield Stray(one.at, one.start - one.at, "another track of the same number")
            return
        if track.type != VIDEO:
            self._tracks[track.number] = None
            return
        video = self._tracks[track.number] = self._open_video(
            CODECS.get(track.codec, track.codec), (track.width, track.height)
        )
        if track.header[1]:
            yield from video.header(*track.header)

    def _filling(self, one: Element, end: int, parent_end: int) -> Iterator[Stray]:
        """Account for Void, which is empty, and for the checksum of the rest of its parent."""
        body = self._read(one.start, end)
        if one.id == VOID:
            if len(body) > MAX_VOID_BYTES or body.strip(b"\0"):
                yield Stray(one.at, end - one.at, "something in a Void element")
        elif body != zlib.crc32(self._read(end, parent_end)).to_bytes(4, "little"):
            yield Stray(one.at, end - one.at, "a checksum of something else")

    def _leaf(self, one: Element, end: int) -> Iterator[Stray]:
        if one.id in (BLOCK, SIMPLE_BLOCK):
            yield from self._block(one, end)
        elif one.id == CODEC_HEADER:
            self._track.header = one.start, self._read(one.start, end)
        elif one.id != ATTACHED_DATA:
            body = self._read(one.start, end)
            if not self._is_value(one.id, body):
                yield Stray(one.at, end - one.at, f"an element {one.id:#x} with a value that libav does not write")
            elif one.id in TARGETS:
                self._targets[int.from_bytes(body, "big")] = one.at

    def _is_value(self, name: int, body: bytes) -> bool:
        """Return True for a number, or a text that libav has read: what it says is for the check of metadata."""
        if name in LIBRARIES:
            return bool(LIBRARY.fullmatch(body))
        if name in READ_TEXTS or name in WORDS:
            text = body.rstrip(b"\0").decode("utf-8", "replace")
            self._track.codec = text if name == CODEC_ID else self._track.codec
            return text in self._texts if name in READ_TEXTS else bool(re.fullmatch(WORDS[name], text))
        number = int.from_bytes(body, "big")
        if name in UIDS:
            self._uids.add(number)
        elif name == TRACK_NUMBER:
            self._track.number = number
        elif name == TRACK_TYPE:
            self._track.type = number
        elif name == WIDTH:
            self._track.width = number
        elif name == HEIGHT:
            self._track.height = number
        return len(body) <= (MAX_UID_BYTES if name in LONG_UIDS else MAX_NUMBER_BYTES)

    def _block(self, one: Element, end: int) -> Iterator[Stray]:
        self._file.seek(one.start)
        number = ebml_number(self._file)
        start = self._file.tell() + BLOCK_HEADER_BYTES
        data = self._read(start - BLOCK_HEADER_BYTES, end)
        if number not in self._tracks or len(data) < BLOCK_HEADER_BYTES or data[2] & LACING:
            yield Stray(one.at, end - one.at, "a block of no track, or of several frames")
            return
        video = self._tracks[number]
        if video is None:
            self.packets += 1
        else:
            yield from video.packet(start, data[BLOCK_HEADER_BYTES:])

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(0, end - start))
