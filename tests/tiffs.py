"""TIFF files of kinds that no library writes, put together by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from blurscene_stream.frames import Plane

SHORT, LONG = 3, 4
LETTERS = {SHORT: "H", LONG: "I"}
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
WIDTH, HEIGHT, DEPTH, COMPRESSION, PHOTOMETRIC, FILL, OFFSETS = 256, 257, 258, 259, 262, 266, 273
CHANNELS, ROWS, COUNTS, PREDICTOR, LAYOUT, EXTRA, SAMPLE_KIND = 277, 278, 279, 317, 284, 338, 339


def tiff_of(samples: Plane, bits: int, order: str = "<", deflate: bool = False, **tags: int) -> bytes:
    """A TIFF of samples (h, w, channels), each of `bits`; `order` "<" or ">".

    tags: values of further tags by their names above in lower case, such as photometric=0; layout=2 stores one channel
    after the other, fill=2 turns the bits of each byte round
    """
    height, width, channels = samples.shape
    parts = [samples] if tags.get("layout", 1) == 1 else [samples[:, :, [channel]] for channel in range(channels)]
    strips = [packed(part, bits, order) for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    strips = [strip.translate(REVERSED) for strip in strips] if tags.get("fill") == 2 else strips
    values = {
        WIDTH: (LONG, [width]),
        HEIGHT: (LONG, [height]),
        DEPTH: (SHORT, [bits] * channels),
        COMPRESSION: (SHORT, [8 if deflate else 1]),
        OFFSETS: (LONG, [8 + sum(map(len, strips[:index])) for index in range(len(strips))]),
        CHANNELS: (SHORT, [channels]),
        ROWS: (LONG, [height]),
        COUNTS: (LONG, [len(strip) for strip in strips]),
    }
    values |= {globals()[name.upper()]: (SHORT, [value]) for name, value in tags.items()}
    return _file(b"".join(strips), values, order)


def packed(samples: Plane, bits: int, order: str) -> bytes:
    """Samples as they lie in a file: of 16 bits in the byte order, of fewer the highest bit first, rows in bytes."""
    if bits == 16:
        return samples.astype(f"{order}u2").tobytes()
    rows = samples.reshape(len(samples), -1)
    single = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.astype(np.uint8).reshape(len(samples), -1), axis=1).tobytes()


def _file(strips: bytes, tags: Mapping[int, tuple[int, Sequence[int]]], order: str) -> bytes:
    strips += bytes(len(strips) % 2)
    directory = 8 + len(strips)
    end = directory + 2 + 12 * len(tags) + 4
    entries, long = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values)
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{order}I", end + len(long))
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + place
        long += value if len(value) > 4 else b""
    header = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, directory)
    return header + strips + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + long
