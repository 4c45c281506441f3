"""The mosaic's cells: where they lie, and the mean of the samples in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Plane
from blurscene_stream.redact.windows import Window

LEAST_CELL_PX = 4
"""A cell is at least this wide and high: a small object gets fewer cells, not smaller ones."""

MEAN_STEP = 4
"""Means are rounded to multiples of this (as in 8-bit video): finer steps show little to the eye, but many
pictures of one object with slightly moved cells could be put together from them."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """How a window is cut into cells.

    top, left:      intp (rows,) and (columns,), the first sample of each row and column of cells
    height, width:  intp (rows,) and (columns,), the samples in each
    area:           int64 (rows, columns), the samples in each cell
    """

    top: NDArray[np.intp]
    left: NDArray[np.intp]
    height: NDArray[np.intp]
    width: NDArray[np.intp]
    area: NDArray[np.int64]


def cut(window: Window, cells: int, longest_px: float) -> Cells:
    """The cells of `window`.

    They follow from the area alone, and meet in all planes. `longest_px`, the longer side of the whole object, has
    `cells` of them, the other side fewer: cells are nearly square. What the border of the picture cuts off takes its
    cells along: the rest is not shown any finer.
    """
    x0, y0, x1, y1 = window.area
    form = window.format
    along_y = (y1 - y0, form.shift_y, form.shift_y if window.plane else 0)
    along_x = (x1 - x0, form.shift_x, form.shift_x if window.plane else 0)
    return _cut(along_y, along_x, cells, longest_px)


@lru_cache(maxsize=4096)  # the sizes of objects repeat: in the planes of a picture, in the pictures of an object
def _cut(along_y: tuple[int, int, int], along_x: tuple[int, int, int], cells: int, longest_px: float) -> Cells:
    rows, columns = _edges(*along_y, cells, longest_px), _edges(*along_x, cells, longest_px)
    height, width = np.diff(rows), np.diff(columns)
    return Cells(rows[:-1], columns[:-1], height, width, np.multiply.outer(height, width).astype(np.int64))


def _edges(length_px: int, block_shift: int, sample_shift: int, cells: int, longest_px: float) -> NDArray[np.intp]:
    """Where cells meet along `length_px`: between blocks of 2**block_shift pixels, in samples of 2**sample_shift."""
    blocks = -(-length_px >> block_shift)
    least = -(-LEAST_CELL_PX >> block_shift)
    count = max(1, min(int(cells * length_px / longest_px), (length_px >> block_shift) // least))
    edges = np.arange(count + 1) * blocks // count << block_shift
    edges[-1] = length_px
    return -(-edges >> sample_shift)


def means(window: Window, cells: Cells) -> Plane:
    """The mean of each cell, (rows, columns) or, for interleaved chroma, (rows, columns, 2), rounded to MEAN_STEP."""
    samples = window.samples
    # 32 bits are faster, and hold the sum of a row of any video; not that of the widest picture of 16 bits.
    wide = np.uint32 if window.format.bits <= 10 else np.uint64
    sums = np.add.reduceat(samples, cells.left, 1, wide)
    sums = np.add.reduceat(sums, cells.top, 0, np.int64)  # the sum of a whole 8K picture has more than 32 bits
    bits = window.format.bits
    step = MEAN_STEP << (bits - 8)
    area = cells.area if samples.ndim == 2 else cells.area[:, :, None]
    steps = (sums + area * (step >> 1)) // (area * step)
    return _levels(bits).take(steps, mode="clip")


@lru_cache(maxsize=3)
def _levels(bits: int) -> Plane:
    """The value of 0, 1, 2 ... steps; the last one is the highest value that there is."""
    step, top = MEAN_STEP << (bits - 8), (1 << bits) - 1
    levels = np.minimum(np.arange(0, top + step, step), top)
    return levels.astype(np.uint8) if bits == 8 else levels.astype(np.uint16)
