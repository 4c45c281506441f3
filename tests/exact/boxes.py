"""The boxes of an MP4, taken apart and put together again (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each box."""
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + length]
        at += length


def box(name: bytes, *bodies: bytes) -> bytes:
    """A box with all of the bodies in it."""
    return struct.pack(">I4s", 8 + sum(map(len, bodies)), name) + b"".join(bodies)


def add_to_entry(path: Path, added: bytes) -> Path:
    """Add a box to what a video of one track says of its coding."""
    path.write_bytes(_inside(path.read_bytes(), WAY, added))
    return path


def _inside(body: bytes, way: tuple[bytes, ...], added: bytes) -> bytes:
    if not way:  # the table of one entry, behind eight bytes
        ((name, entry),) = boxes(body[8:])
        return body[:8] + box(name, entry, added)
    return b"".join(box(name, _inside(part, way[1:], added) if name == way[0] else part) for name, part in boxes(body))
