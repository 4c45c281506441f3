"""The samples of a frame as numbers that can be held against those of another format, and what they do on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Frame

Levels = NDArray[np.float32]
Mask = NDArray[np.bool_]

COARSE_PX = 4  # side of the blocks of a coarse picture
BLOCK_PX = 8
WINDOW_PX = 2 * BLOCK_PX  # windows overlap by half


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A picture in levels of 8 bits, whatever its format.

    luma:   float32 (height, width)
    coarse: float32, the mean luma of each block of COARSE_PX; blocks at the border are filled up with its samples
    chroma: float32 (2, ...), the same blocks of Cb and Cr
    """

    luma: Levels
    coarse: Levels
    chroma: Levels


def look_at(frame: Frame) -> Look:
    """A copy of what `frame` shows."""
    form = frame.picture.pixel_format
    unit = np.float32(1 << (form.bits - 8))
    luma = frame.planes[0].astype(np.float32) / unit
    parts = [frame.planes[1][..., 0], frame.planes[1][..., 1]] if form.interleaved else list(frame.planes[1:3])
    block = (COARSE_PX >> form.shift_y, COARSE_PX >> form.shift_x)
    chroma = [means(part.astype(np.float32) / unit, *block, COARSE_PX) for part in parts]
    return Look(luma, means(luma, COARSE_PX, COARSE_PX, COARSE_PX), np.stack(chroma))


def means(samples: Levels, rows: int, columns: int, block_px: int) -> Levels:
    """The mean of each block of `rows` x `columns` samples, in whole windows; the border is repeated beyond itself.

    block_px: how large such a block is in the picture
    """
    per_window = WINDOW_PX // block_px
    high, wide = _whole(samples.shape[0], rows * per_window), _whole(samples.shape[1], columns * per_window)
    beyond = ((0, high - samples.shape[0]), (0, wide - samples.shape[1]))
    filled = np.pad(samples, beyond, mode="edge") if any(after for _, after in beyond) else samples
    strips = filled.reshape(high // rows, rows, wide).sum(axis=1, dtype=np.float32)
    blocks: Levels = strips.reshape(high // rows, wide // columns, columns).sum(axis=2, dtype=np.float32)
    return np.asarray(blocks / np.float32(rows * columns), np.float32)


def _whole(length: int, unit: int) -> int:
    return -(-length // unit) * unit


def windowed(blocks: Levels) -> Levels:
    """The mean of each 2 x 2 blocks of BLOCK_PX: windows of WINDOW_PX."""
    rows = blocks[:-1] + blocks[1:]
    return np.asarray((rows[:, :-1] + rows[:, 1:]) / np.float32(4), np.float32)


def window_means(samples: Levels, px: int) -> Levels:
    """The mean in each window of samples that stand for `px` x `px` pixels each."""
    return windowed(means(samples, BLOCK_PX // px, BLOCK_PX // px, BLOCK_PX) if px < BLOCK_PX else samples)


def deviation(samples: Levels, px: int) -> Levels:
    """The standard deviation in each window, likewise."""
    middle = window_means(samples, px)
    return np.asarray(np.sqrt(np.maximum(window_means(samples * samples, px) - middle * middle, 0)), np.float32)


def area_means(windows: Levels, side: int) -> Levels:
    """The mean of the `side` x `side` windows around each one; 0 where some of them would lie outside."""
    if side == 1:
        return windows
    made = np.zeros_like(windows)
    if min(windows.shape) >= side:
        sums = np.cumsum(np.cumsum(np.pad(windows.astype(np.float64), ((1, 0), (1, 0))), axis=0), axis=1)
        whole = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        rim = side // 2
        made[rim : rim + whole.shape[0], rim : rim + whole.shape[1]] = whole / side**2
    return made
