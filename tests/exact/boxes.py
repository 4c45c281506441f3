"""The boxes of an MP4, taken apart and put together again (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator


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
