"""The boxes of an MP4, for what libav knows of them and PyAV does not tell (ISO/IEC 14496-12)."""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

Boxes = defaultdict[bytes, list[bytes]]


def movie_of(path: Path) -> Boxes:
    """What is in the box that tells of everything; nothing where there is none.

    Raises OSError when the file cannot be read.
    """
    if not path.is_file():  # a pipe cannot be read twice
        return defaultdict(list)
    with path.open("rb") as file:
        return _movie(file)


def _movie(file: BinaryIO) -> Boxes:
    size, at = os.fstat(file.fileno()).st_size, 0
    while size - at >= 16:
        file.seek(at)
        length, name, large = struct.unpack(">I4sQ", file.read(16))
        length = large if length == 1 else length or size - at
        if name == b"moov":
            file.seek(at + 8)
            return boxes_in(file.read(length - 8))
        at += max(8, length)
    return defaultdict(list)


def boxes_in(data: bytes) -> Boxes:
    """The bodies of the boxes in a box, by name."""
    found, at = defaultdict(list), 0
    while len(data) - at >= 8:
        length, name = struct.unpack_from(">I4s", data, at)
        found[name].append(data[at + 8 : at + length])
        at += max(8, length)
    return found


def track_of(movie: Boxes, number: int) -> Boxes:
    """What is in the track of that number; nothing where there is none (8.3.2).

    Raises struct.error or IndexError for boxes that cannot be.
    """
    for track in map(boxes_in, movie[b"trak"]):
        header = track[b"tkhd"][0]
        if struct.unpack_from(">I", header, 20 if header[0] else 12)[0] == number:
            return track
    return defaultdict(list)
