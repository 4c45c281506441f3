"""Integrity of image files: decoders fill up with grey what a file lacks, and say nothing."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from blurscene_stream.errors import CorruptInputError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAGIC = {  # magic bytes; RIFF and its length come before WEBP
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(re.escape(PNG_SIGNATURE)),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "bmp": re.compile(rb"BM"),
    "tiff": re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
}
CUT_SHORT = "the file is cut short; nothing was written"
# Marker codes of ITU-T T.81, table B.1
START_OF_SCAN, END_OF_IMAGE, FIRST_RESTART, LAST_RESTART, TEMPORARY = 0xDA, 0xD9, 0xD0, 0xD7, 0x01
SEQUENTIAL_HUFFMAN = {0xC0, 0xC1}
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
READ_AHEAD = bytes(16)


def format_of(data: bytes) -> str | None:
    """Return the format by a file's magic bytes; None for none of MAGIC."""
    return next((name for name, magic in MAGIC.items() if magic.match(data)), None)


def checked(data: bytes, file_format: str) -> bytes:
    """Return the bytes to give to a decoder, which then notices by itself when something is missing.

    Raises CorruptInputError when that is seen before.
    """
    if file_format == "jpeg":
        return _complete_jpeg(data)
    if file_format == "png":
        for _ in png_chunks(data):
            pass
    return data


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of every chunk up to IEND.

    Raises CorruptInputError when one is incomplete, or its checksum is wrong.
    """
    place, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise CorruptInputError(CUT_SHORT)
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            raise CorruptInputError(CUT_SHORT)
        content = data[place + 8 : end]
        if zlib.crc32(content, zlib.crc32(kind)) != struct.unpack_from(">I", data, end)[0]:
            raise CorruptInputError("a part of the PNG has a wrong checksum, the file is damaged; nothing was written")
        yield kind, content
        place = end + 4


def webp_is_lossless(data: bytes) -> bool:
    """True when the picture is in a VP8L chunk (RFC 9649)."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind in (b"VP8L", b"VP8 "):
            return bool(kind == b"VP8L")
        place += 8 + length + length % 2
    return False


def _complete_jpeg(data: bytes) -> bytes:
    """The JPEG up to its end, without what comes after it: other pictures, videos.

    A single sequential scan gets a few zeros instead of its end mark, for libjpeg to read ahead into: at the mark it
    would fill up what is missing with grey, and here it asks for more and Pillow refuses.
    """
    place, scans, kinds = 2, 0, set[int]()
    while (place := data.find(b"\xff", place)) >= 0:
        while data[place + 1 : place + 2] == b"\xff":
            place += 1
        marker = data[place + 1] if place + 1 < len(data) else -1
        if marker == END_OF_IMAGE:
            alone = scans == 1 and kinds <= SEQUENTIAL_HUFFMAN
            return data[:place] + READ_AHEAD if alone else data[: place + 2]
        place += 2
        if marker in (-1, 0, TEMPORARY) or FIRST_RESTART <= marker <= LAST_RESTART:
            continue
        if place + 2 > len(data):
            break
        place += struct.unpack_from(">H", data, place)[0]
        kinds |= {marker} & FRAME_HEADERS
        if marker == START_OF_SCAN:
            scans += 1
            end = MARKER_IN_SCAN.search(data, place)
            place = end.start() if end else len(data)
    raise CorruptInputError(CUT_SHORT)
