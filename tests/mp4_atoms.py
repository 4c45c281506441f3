"""MP4 atoms ("boxes", ISO/IEC 14496-12), taken apart and put together again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

SAMPLE_ENTRY_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def atoms(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and body of each atom."""
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + length]
        at += length


def atom(name: bytes, *bodies: bytes) -> bytes:
    """Return an atom with all of the bodies in it."""
    return struct.pack(">I4s", 8 + sum(map(len, bodies)), name) + b"".join(bodies)


def add_to_sample_entry(path: Path, added: bytes) -> Path:
    """Add an atom to the sample entry of a video of one track."""
    path.write_bytes(_with_added(path.read_bytes(), SAMPLE_ENTRY_PATH, added))
    return path


def _with_added(body: bytes, path: tuple[bytes, ...], added: bytes) -> bytes:
    if not path:  # the table of one entry, behind eight bytes
        ((name, entry),) = atoms(body[8:])
        return body[:8] + atom(name, entry, added)
    parts = ((name, _with_added(part, path[1:], added) if name == path[0] else part) for name, part in atoms(body))
    return b"".join(atom(name, part) for name, part in parts)
