"""Files that were joined end to end (`cat a.mp4 b.mp4`), of which libav reads the first and says nothing of the rest.

It reads on in Matroska, AVI, transport and program streams, and in MP4 fragments with their init segment before each.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from blurscene_stream.source.container.mp4_atoms import MAX_MOVIE_BYTES, atom_spans, child_atoms, is_mp4

SIGNATURES = {
    "flv": b"FLV\1",  # Video File Format Specification 10.1, annex E
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),  # ASF Specification 01.20.05, 10.1, header object
}
BLOCK_BYTES = 1 << 20
JOINED = "another video begins behind the first, and only that one can be read; cut the file there; nothing was written"


def has_second_movie(file: BinaryIO, container_format: str) -> bool:
    """Return whether an MP4 has the index of another video behind its own.

    container_format: libav's name
    Raises OSError when the file cannot be read.
    """
    if not is_mp4(container_format):
        return False
    movies = []
    for name, start, length in atom_spans(file, os.fstat(file.fileno()).st_size):
        if name == b"moov" and length <= MAX_MOVIE_BYTES:
            file.seek(start)
            movies.append(file.read(length))
    return has_another(movies)


def has_another(movies: Sequence[bytes]) -> bool:
    """Return whether a moov atom behind the first is of another video, and not of the fragments behind it."""
    return any(b"mvex" not in child_atoms(movie) for movie in movies[1:])


def begins_again(file: BinaryIO, container_format: str, end: int) -> bool:
    """Return whether the first bytes of a format come again behind the last packet; False for most formats.

    end: of the last packet that was read, in bytes
    Raises OSError when the file cannot be read.
    """
    signature = SIGNATURES.get(container_format)
    if signature is None:
        return False
    file.seek(max(end, len(signature)))
    before = b""
    while block := file.read(BLOCK_BYTES):
        if signature in before + block:
            return True
        before = block[-len(signature) :]
    return False


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
