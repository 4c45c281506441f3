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
    offset, chunk_type = len(PNG_SIGNATURE), b""
    while chunk_type != b"IEND":
        if offset + 12 > len(data):
            raise CorruptInputError(CUT_SHORT)
        length, chunk_type = struct.unpack_from(">I4s", data, offset)
        end = offset + 8 + length
        if end + 4 > len(data):
            raise CorruptInputError(CUT_SHORT)
        content = data[offset + 8 : end]
        if zlib.crc32(content, zlib.crc32(chunk_type)) != struct.unpack_from(">I", data, end)[0]:
            raise CorruptInputError("a part of the PNG has a wrong checksum, the file is damaged; nothing was written")
        yield chunk_type, content
        offset = end + 4


def webp_is_lossless(data: bytes) -> bool:
    """Return True when the image is in a VP8L chunk (RFC 9649)."""
    offset = 12
    while offset + 8 <= len(data):
        chunk_type, length = struct.unpack_from("<4sI", data, offset)
        if chunk_type in (b"VP8L", b"VP8 "):
            return bool(chunk_type == b"VP8L")
        offset += 8 + length + length % 2
    return False


def _complete_jpeg(data: bytes) -> bytes:
    """Return the JPEG up to its EOI marker, without what comes after it: other images, videos.

    A single sequential scan gets a few zeros instead of that marker, for libjpeg to read ahead into: at the mark it
    would fill up what is missing with grey, and here it asks for more and Pillow refuses.
    """
    offset, scans, frame_headers = 2, 0, set[int]()
    while (offset := data.find(b"\xff", offset)) >= 0:
        while data[offset + 1 : offset + 2] == b"\xff":
            offset += 1
        marker = data[offset + 1] if offset + 1 < len(data) else -1
        if marker == END_OF_IMAGE:
            single_scan = scans == 1 and frame_headers <= SEQUENTIAL_HUFFMAN
            return data[:offset] + READ_AHEAD if single_scan else data[: offset + 2]
        offset += 2
        if marker in (-1, 0, TEMPORARY) or FIRST_RESTART <= marker <= LAST_RESTART:
            continue
        if offset + 2 > len(data):
            break
        offset += struct.unpack_from(">H", data, offset)[0]
        frame_headers |= {marker} & FRAME_HEADERS
        if marker == START_OF_SCAN:
            scans += 1
            end = MARKER_IN_SCAN.search(data, offset)
            offset = end.start() if end else len(data)
    raise CorruptInputError(CUT_SHORT)
