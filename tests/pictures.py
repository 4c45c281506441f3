"""Small picture files, made on the fly: a bright square on dark noise, in every format and channel count."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Samples = NDArray[np.uint8]
WIDTH, HEIGHT = 80, 60
SQUARE = (48, 8, 64, 20)  # x0 y0 x1 y1; no two of the eight orientations show it in the same place
DARK, BRIGHT = (40, 120), 235
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
LOSSLESS = [  # format, channels
    *(("png", channels) for channels in (1, 2, 3, 4)),
    *(("tiff", channels) for channels in (1, 2, 3, 4)),
    *(("webp", channels) for channels in (3, 4)),
    *(("bmp", channels) for channels in (1, 3)),
]


def samples_of(channels: int, seed: int = 0) -> Samples:
    """Samples (HEIGHT, WIDTH, channels); the last of 2 or 4 is opacity, and never full outside the square."""
    rng = np.random.default_rng(seed)
    made = rng.integers(*DARK, (HEIGHT, WIDTH, channels))
    x0, y0, x1, y1 = SQUARE
    made[y0:y1, x0:x1] = BRIGHT
    return made.astype(np.uint8)


def file_of(samples: Samples, form: str, **options: Any) -> bytes:
    """A file with `samples`, by Pillow."""
    image = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    if form == "webp":
        options = {"lossless": True, "exact": True} | options
    written = BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def read_back(data: bytes) -> Samples:
    """The samples of a file, (h, w, channels), as stored."""
    samples: Samples = np.array(Image.open(BytesIO(data)))
    return samples[:, :, None] if samples.ndim == 2 else samples


def turned(samples: Samples, orientation: int) -> Samples:
    """What must be stored for `samples` to stand upright by EXIF's `orientation`."""
    ways: dict[int, Callable[[Samples], Samples]] = {
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
