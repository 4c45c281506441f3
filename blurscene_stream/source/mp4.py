"""The boxes of an MP4, for what libav knows of them and PyAV does not tell (ISO/IEC 14496-12)."""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

Boxes = defaultdict[bytes, list[bytes]]

MOST_MOVIE_BYTES = 1 << 28  # hours of video need a few MB; more is damage, and would fill the memory

MOST_LOOKED_AT_BYTES = 1 << 20


def movie_of(path: Path) -> Boxes:
    """What is in the box that tells of everything; nothing where there is none.

    Raises OSError when the file cannot be read.
    """
    if not path.is_file():  # a pipe cannot be read twice
        return defaultdict(list)
    with path.open("rb") as file:
        for name, start, length in _top(file):
            if name == b"moov" and length <= MOST_MOVIE_BYTES:
                file.seek(start)
                return boxes_in(file.read(length))
    return defaultdict(list)


def top_boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Name of each box that makes up the file, and how its body begins.

    Raises OSError when it cannot be read.
    """
    with path.open("rb") as file:
        for name, start, length in _top(file):
            file.seek(start)
            yield name, file.read(min(length, MOST_LOOKED_AT_BYTES))


def _top(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name of each box, and where its body starts and how long it is; what is cut off at the end counts as there."""
    size, at = os.fstat(file.fileno()).st_size, 0
    while size - at >= 8:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1 and size - at >= 16:
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        length = length or size - at
        if length < header:
            return
        yield name, at + header, length - header
        at += length


def boxes_in(data: bytes) -> Boxes:
    """The bodies of the boxes in a box, by name."""
    found, at = defaultdict(list), 0
    while len(data) - at >= 8:
        length, name = struct.unpack_from(">I4s", data, at)
        found[name].append(data[at + 8 : at + length])
        at += max(8, length)
    return found


def number_of(track: Boxes) -> int:
    """The number of a track (8.3.2).

    Raises struct.error or IndexError for a track that has none.
    """
    header = track[b"tkhd"][0]
    return int(struct.unpack_from(">I", header, 20 if header[0] else 12)[0])


def track_of(movie: Boxes, number: int) -> Boxes:
    """What is in the track of that number; nothing where there is none.

    Raises what `number_of` does.
    """
    for track in map(boxes_in, movie[b"trak"]):
        if number_of(track) == number:
            return track
    return defaultdict(list)
