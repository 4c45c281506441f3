"""The mosaic's grid: where its cells lie, and the mean of the samples in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Plane
from blurscene_stream.redact.plane_views import PlaneView

MIN_CELL_PX = 4
"""Minimum width and height of a cell: a small object gets fewer cells, not smaller ones."""

MEAN_STEP = 4
"""Means are rounded to multiples of this (as in 8-bit video): finer steps show little to the eye, but many
pictures of one object with slightly moved cells could be put together from them."""


@dataclass(frozen=True, slots=True, eq=False)
class MosaicGrid:
    """Cells of a plane view.

    top, left:      intp (rows,) and (columns,), the first sample of each row and column of cells
    height, width:  intp (rows,) and (columns,), the samples in each
    area:           int64 (rows, columns), the samples in each cell
    """

    top: NDArray[np.intp]
    left: NDArray[np.intp]
    height: NDArray[np.intp]
    width: NDArray[np.intp]
    area: NDArray[np.int64]


def mosaic_grid(view: PlaneView, cells: int, longest_px: float) -> MosaicGrid:
    """Return the grid of a plane view.

    It follows from the rectangle alone, and cells meet in all planes. `longest_px`, the longer side of the whole
    object, has `cells` of them, the other side fewer: cells are nearly square. An object that the border cuts loses
    cells with its pixels: what is left of it is not shown any finer.
    """
    x0, y0, x1, y1 = view.rect
    pixel_format = view.format
    along_y = (y1 - y0, pixel_format.shift_y, pixel_format.shift_y if view.plane else 0)
    along_x = (x1 - x0, pixel_format.shift_x, pixel_format.shift_x if view.plane else 0)
    return _grid(along_y, along_x, cells, longest_px)


@lru_cache(maxsize=4096)  # the sizes of objects repeat: in the planes of a picture, in the pictures of an object
def _grid(along_y: tuple[int, int, int], along_x: tuple[int, int, int], cells: int, longest_px: float) -> MosaicGrid:
    rows, columns = _edges(*along_y, cells, longest_px), _edges(*along_x, cells, longest_px)
    height, width = np.diff(rows), np.diff(columns)
    return MosaicGrid(rows[:-1], columns[:-1], height, width, np.multiply.outer(height, width).astype(np.int64))


def _edges(length_px: int, block_shift: int, sample_shift: int, cells: int, longest_px: float) -> NDArray[np.intp]:
    """Return where cells meet along `length_px`, in samples of 2**sample_shift pixels.

    Cells meet between blocks of 2**block_shift pixels.
    """
    blocks = -(-length_px >> block_shift)
    min_blocks = -(-MIN_CELL_PX >> block_shift)
    count = max(1, min(int(cells * length_px / longest_px), (length_px >> block_shift) // min_blocks))
    edges = np.arange(count + 1) * blocks // count << block_shift
    edges[-1] = length_px
    return -(-edges >> sample_shift)


def cell_means(view: PlaneView, grid: MosaicGrid) -> Plane:
    """Return the mean of each cell, (rows, columns) or, for interleaved chroma, (rows, columns, 2).

    It is rounded to MEAN_STEP.
    """
    samples, bits = view.samples, view.format.bits
    # 32 bits are faster, and hold the sum of a row of any video; not that of the widest 16-bit picture.
    dtype = np.uint32 if bits <= 10 else np.uint64
    sums = np.add.reduceat(samples, grid.left, 1, dtype)
    sums = np.add.reduceat(sums, grid.top, 0, np.int64)  # the sum of an 8K picture has more than 32 bits
    step = MEAN_STEP << (bits - 8)
    area = grid.area if samples.ndim == 2 else grid.area[:, :, None]
    steps = (sums + area * (step >> 1)) // (area * step)
    return _levels(bits).take(steps, mode="clip")


@lru_cache(maxsize=3)
def _levels(bits: int) -> Plane:
    """Return the sample values of 0, 1, 2 ... steps; the last one is the maximum."""
    step, top = MEAN_STEP << (bits - 8), (1 << bits) - 1
    levels = np.minimum(np.arange(0, top + step, step), top)
    return levels.astype(np.uint8) if bits == 8 else levels.astype(np.uint16)
