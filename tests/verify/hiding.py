"""Ways to carry data along in a finished file, beside its pictures and its audio."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from tests.mp4_atoms import atom, atoms

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(1, 255)) * 4  # no start code in it
Change = Callable[[bytes], bytes]


def moved(data: bytes, by: int) -> bytes:
    """Move all chunks of an MP4 whose mdat is last."""
    parts = []
    for name, body in atoms(data):
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            parts.append(atom(name, moved(body, by)))
        elif name == b"stco":
            chunks = (struct.pack(">I", one + by) for (one,) in struct.iter_unpack(">I", body[8:]))
            parts.append(atom(name, body[:8], *chunks))
        else:
            parts.append(atom(name, body))
    return b"".join(parts)


def inside_atom(path: str, change: Change) -> Change:
    """Change the body of the first atom of a path, such as moov/udta, of an MP4 whose mdat is last."""

    def changed(data: bytes) -> bytes:
        new = _changed(data, path.encode().split(b"/"), change)
        return moved(new, len(new) - len(data))

    return changed


def _changed(body: bytes, names: list[bytes], change: Change) -> bytes:
    if not names:
        return change(body)
    before = 4 if names[0] == b"ilst" else 0  # meta begins with its version
    parts, found = [body[:before]], False
    for name, part in atoms(body[before:]):
        is_it, found = name == names[0] and not found, found or name == names[0]
        parts.append(atom(name, _changed(part, names[1:], change) if is_it else part))
    assert found, names
    return b"".join(parts)


def element(name: str, *bodies: bytes) -> bytes:
    """Return an EBML element; `name`: its id in hexadecimal digits."""
    body = b"".join(bodies)
    return bytes.fromhex(name) + (1 << 56 | len(body)).to_bytes(8, "big") + body


def in_segment(added: bytes) -> Change:
    """Put an element at the end of a segment, which says its size in 8 bytes."""

    def change(data: bytes) -> bytes:
        at = data.index(b"\x18\x53\x80\x67") + 4
        size = int.from_bytes(data[at + 1 : at + 8], "big") + len(added)
        return data[:at] + (1 << 56 | size).to_bytes(8, "big") + data[at + 8 :] + added

    return change


def in_element(name: str, added: bytes) -> Change:
    """Put an element at the end of the last one of a name in the segment, whose checksum then goes."""

    def change(data: bytes) -> bytes:
        at = data.rindex(bytes.fromhex(name)) + len(name) // 2
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
        body = data[at + width : at + width + size]
        body = body[6 if body[:1] == b"\xbf" else 0 :]
        new = data[: at - len(name) // 2] + element(name, body, added) + data[at + width + size :]
        return in_segment(bytes(len(new) - len(data)))(new)[: len(new)]

    return change


def ts_packet(pid: int, body: bytes, control: int = 0x10) -> bytes:
    """Return one packet of a transport stream."""
    return (struct.pack(">BHB", 0x47, pid, control) + body).ljust(188, b"\xff")


def repacked(source: Path, target: Path, change: Change) -> Path:
    """Write the video once more, with each of its packets changed."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        new.flags |= 0x400  # bitexact
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(old.streams.video[0]):
            if packet.size:
                made: Any = av.Packet(change(bytes(packet)))
                made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
                made.is_keyframe, made.duration, made.stream = packet.is_keyframe, packet.duration, video
                new.mux(made)
    return target
