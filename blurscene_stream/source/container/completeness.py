"""Completeness of a file: bytes that its structure promises, packets that its index promises, and nothing after them.

libav plays a Matroska, MPEG-TS or AVI file that was cut short to its new end without an error. Of files that were
joined end to end (`cat a.mp4 b.mp4`) it reads on in Matroska, AVI, transport and program streams, and in MP4 fragments
with their init segment before each; of MP4 and the formats of SIGNATURES it reads the first, of NUT a part of the
second as well, and is silent on the rest.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from av.video.stream import VideoStream

from blurscene_stream.source.container.ebml import EBML_HEADER, MATROSKA_SEGMENT, ebml_number
from blurscene_stream.source.container.mp4_atoms import (
    MAX_MOVIE_BYTES,
    atom_spans,
    child_atoms,
    edit_list_shortens,
    is_mp4,
)
from blurscene_stream.source.container.mpegts import SYNC_BYTES, packet_bytes

SIGNATURES = {
    "flv": b"FLV\1",  # Video File Format Specification 10.1, annex E
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),  # ASF Specification 01.20.05, 10.1, header object
    "ivf": b"DKIF\0\0\x20\0",  # version 0, a header of 32 bytes; libav's ivfdec.c
    "apng": b"\x89PNG\r\n\x1a\n",  # PNG Specification, third edition, 5.2
    "rm": b".RMF\0\0\0",  # libav's rmdec.c
    "wtv": bytes.fromhex("b7d800203749da11a64e0007e95ead8d"),  # libav's wtv_common.c
    "nut": b"nut/multimedia container\0",  # NUT Open Container Format, file_id_string
    "swf": b"FWS",  # SWF File Format Specification 19, the SWF header; libav refuses the compressed forms
}
"""First bytes of a file, by libav's name of the format, of which it does not read all of joined files."""
BLOCK_BYTES, HEAD_BYTES = 1 << 20, 4096
JOINED = "another video begins behind the first, and only that one can be read; cut the file there; nothing was written"


def missing_bytes(file: BinaryIO, container_format: str, size: int | None = None) -> int:
    """Count the bytes that `file` lacks by its own structure, before a frame is decoded; 0 when complete or unknown.

    container_format: libav's name, such as "mov,mp4,m4a,3gp,3g2,mj2"
    size:             of the whole, where `file` is only its beginning: enough for the formats of SIZE_IN_HEAD
    Raises OSError when the file cannot be read.
    """
    names = container_format.split(",")
    promised = next((read for name, read in _PROMISED_SIZE.items() if name in names), None)
    if promised is None:
        return 0
    size = _size(file) if size is None else size
    file.seek(0)
    return max(0, promised(file, size) - size)


def promised_packets(video: VideoStream, path: Path) -> int:
    """Return how many video packets an MP4 declares and its edit list shows; 0 when it declares none.

    libav's index of a track with an edit list has only what that needs: the packets of the rest are no loss.
    """
    indexed = len(video.index_entries)
    if not 0 < indexed < video.frames:
        return video.frames
    try:
        return indexed if edit_list_shortens(path, video.id) else video.frames
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # no such edit list: what is missing is missing
        return video.frames


def _mp4_size(file: BinaryIO, size: int) -> int:
    """Return where the last top-level atom ends; the size where padding follows it."""
    end = 0
    for _, start, length in atom_spans(file, size):
        end = start + length
    return size if size - end >= 8 else end


def _riff_size(file: BinaryIO, size: int) -> int:
    """Return where the last RIFF chunk ends; an AVI over 1 GB has several."""
    end = 0
    while size - end >= 8:
        file.seek(end)
        header = file.read(8)
        if header[:4] != b"RIFF":
            return size
        length = int.from_bytes(header[4:], "little")
        end += 8 + length
    return end


def _ts_size(file: BinaryIO, size: int) -> int:
    """Return the size rounded up to whole packets."""
    packet = packet_bytes(file.read(SYNC_BYTES))
    return size if packet is None else -(-size // packet) * packet


def _matroska_size(file: BinaryIO, size: int) -> int:
    """Return where the segment ends; a segment of unknown size, as live recorders write it, ends anywhere."""
    if ebml_number(file, keep_marker=True) != EBML_HEADER:
        return size
    file.seek(ebml_number(file) or 0, 1)
    if ebml_number(file, keep_marker=True) != MATROSKA_SEGMENT:
        return size
    length = ebml_number(file)
    return size if length is None else file.tell() + length


SIZE_IN_HEAD = ("matroska", "avi", "mpegts")
_PROMISED_SIZE: dict[str, Callable[[BinaryIO, int], int]] = {
    "mp4": _mp4_size,
    "matroska": _matroska_size,
    "avi": _riff_size,
    "mpegts": _ts_size,
}


def has_second_movie(file: BinaryIO, container_format: str) -> bool:
    """Return whether an MP4 has the index of another video behind its own.

    container_format: libav's name
    Raises OSError when the file cannot be read.
    """
    if not is_mp4(container_format):
        return False
    movies = []
    for name, start, length in atom_spans(file, _size(file)):
        if name == b"moov" and length <= MAX_MOVIE_BYTES:
            file.seek(start)
            movies.append(file.read(length))
    return has_another(movies)


def has_another(movies: Sequence[bytes]) -> bool:
    """Return whether a moov atom behind the first is of another video, and not of the fragments behind it."""
    return any(b"mvex" not in child_atoms(movie) for movie in movies[1:])


def begins_again(file: BinaryIO, container_format: str, last: int) -> bool:
    """Return whether the first bytes of a format come again behind where the last packet begins.

    last: offset of the last whole packet that was read, which is enough: few bytes in it are the signature by chance
    False for the formats that are not in SIGNATURES.
    Raises OSError when the file cannot be read.
    """
    if container_format not in SIGNATURES:
        return False
    file.seek(0)
    finder = SignatureFinder(next_file_start(file.read(HEAD_BYTES), container_format, last, _size(file)))
    file.seek(finder.size)
    while block := file.read(BLOCK_BYTES):
        finder.feed(block)
    return container_format in finder.last


def next_file_start(head: bytes, container_format: str, last: int, size: int) -> int:
    """Return the offset from which on first bytes of a format are those of another file, as far as can be told.

    head: HEAD_BYTES of the first file; last: as in `begins_again`; size: of all
    """
    if container_format == "nut":  # it is long enough to be no chance anywhere, and `last` may lie in the second file
        return 1
    if container_format == "swf" and last < (length := int.from_bytes(head[4:8], "little")) <= size:
        return length
    return max(last, 1)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


class SignatureFinder:
    """Finds where the first bytes of a file come last in what comes in pieces.

    size: offset of the next byte
    last: offset of the last signature, by the format in SIGNATURES that it is of
    """

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.last: dict[str, int] = {}
        self._before = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        text, start = self._before + data, self.size - len(self._before)
        self.last |= {name: start + at for name, each in SIGNATURES.items() if (at := text.rfind(each)) >= 0}
        self.size += len(data)
        self._before = text[1 - max(map(len, SIGNATURES.values())) :]


class MovieCollector:
    """Collects the moov atoms of an MP4 that comes in pieces and cannot seek.

    movies: their bodies, so far
    """

    def __init__(self) -> None:
        self.movies: list[bytes] = []
        self._header = b""
        self._left: int | None = 0  # of the atom that began last; None: it ends with the stream
        self._body: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        while data and self._left is not None:
            if self._left == 0:
                data = self._begin(data)
                continue
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            if self._body is not None:
                self._body += part
                if not self._left:
                    self.movies.append(bytes(self._body))

    def _begin(self, data: bytes) -> bytes:
        """Take bytes of the next atom's header; return those behind it."""
        long = self._header[:4] == b"\0\0\0\1"
        missing = (16 if long else 8) - len(self._header)
        self._header, rest = self._header + data[:missing], data[missing:]
        if len(self._header) < 8 or (self._header[:4] == b"\0\0\0\1" and len(self._header) < 16):
            return rest
        header, self._header = self._header, b""
        length = struct.unpack(">Q", header[8:])[0] if len(header) == 16 else struct.unpack(">I", header[:4])[0]
        self._left = length - len(header) if length >= len(header) else None
        collected = header[4:8] == b"moov" and self._left is not None and self._left <= MAX_MOVIE_BYTES
        self._body = bytearray() if collected else None
        return rest
