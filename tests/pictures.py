"""Small picture files, made on the fly: a bright square on dark noise, in every format and kind of sample."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.frames import Plane

WIDTH, HEIGHT = 80, 60
SQUARE = (48, 8, 64, 20)  # x0 y0 x1 y1; no two of the eight orientations show it in the same place
DARK, BRIGHT = (40, 120), 235
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
KINDS = [  # format, channels, bits
    *(("png", channels, bits) for channels in (1, 2, 3, 4) for bits in (8, 16)),
    *(("tiff", channels, 8) for channels in (1, 2, 3, 4)),
    *(("tiff", channels, 16) for channels in (1, 3, 4)),
    *(("webp", channels, 8) for channels in (3, 4)),
    *(("bmp", channels, 8) for channels in (1, 3)),
]
"""What is stored without loss."""


def samples_of(channels: int, bits: int = 8, seed: int = 0) -> Plane:
    """Samples (HEIGHT, WIDTH, channels); the last of 2 or 4 is opacity, and never full outside the square."""
    rng = np.random.default_rng(seed)
    made = rng.integers(*DARK, (HEIGHT, WIDTH, channels))
    x0, y0, x1, y1 = SQUARE
    made[y0:y1, x0:x1] = BRIGHT
    if bits == 16:
        return cast(Plane, (made * 256 + rng.integers(0, 256, made.shape)).astype(np.uint16))
    return cast(Plane, made.astype(np.uint8))


def file_of(samples: Plane, form: str, **options: Any) -> bytes:
    """A file with `samples`, by Pillow; by OpenCV where they have 16 bits in several channels."""
    channels = samples.shape[2]
    if samples.dtype == np.uint16 and channels > 1:
        if channels == 2:
            return _grey_alpha_16(samples)
        done, data = cv2.imencode(f".{form}", samples[:, :, [2, 1, 0, 3][: max(channels, 3)]])
        assert done
        return data.tobytes()
    image = Image.fromarray(samples[:, :, 0] if channels == 1 else samples)
    if form == "webp":
        options = {"lossless": True, "exact": True} | options
    written = BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def read_back(data: bytes) -> Plane:
    """The samples of a file, (h, w, channels), as stored."""
    image = Image.open(BytesIO(data))
    deep = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if image.format in ("PNG", "TIFF") else None
    )
    if deep is not None and deep.dtype == np.uint16:
        if deep.ndim == 2:
            return cast(Plane, deep[:, :, None])
        read = deep[:, :, [2, 1, 0, 3][: deep.shape[2]]]
        return cast(Plane, read[:, :, [0, 3]] if data[25] == 4 and image.format == "PNG" else read)
    samples = np.array(image)
    return samples[:, :, None] if samples.ndim == 2 else samples


def turned(samples: Plane, orientation: int) -> Plane:
    """What must be stored for `samples` to stand upright by EXIF's `orientation`."""
    ways: dict[int, Callable[[Plane], Plane]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: np.rot90,  # shown turned by a quarter to the right
        7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }
    return ways[orientation](samples).copy()


def exif_of(orientation: int, **texts: str) -> Image.Exif:
    """EXIF with an orientation, and texts by the hexadecimal number of their tag."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for tag, text in texts.items():
        exif[int(tag.removeprefix("x"), 16)] = text
    return exif


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """`png` with more chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def with_tag(tiff: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with one more 16-bit tag in its directory, which moves to the end."""
    (directory,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, directory)
    entries = [tiff[directory + 2 + 12 * index :][:12] for index in range(count)]
    entries.append(struct.pack("<HHIHH", tag, 3, 1, value, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    tiff += bytes(len(tiff) % 2)
    moved = struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + moved


def _grey_alpha_16(samples: Plane) -> bytes:
    """Nobody else writes these: rows without filter."""
    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    plain: NDArray[np.uint8] = np.hstack((np.zeros((len(rows), 1), np.uint8), rows))
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, 4, 0, 0, 0)
    parts = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(plain.tobytes())), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
