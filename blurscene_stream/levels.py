"""Levels of samples: what a plane spans, but for a few pixels, and its stretch to full contrast."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

TILES = 9  # rows and columns of a plane that dark parts are looked for in
WINDOW_TILES = 3  # a dark part is at least so many high and wide, a ninth of the plane
DARK_SHARE = 0.06  # of all levels: a part that stays below is dark; docs/accuracy.md says what that gives
MIN_DARK_LEVELS = 2  # that a dark part spans: black bars show nothing
DARK_TAIL = 0.01  # share of the darkest pixels of a part, and of the brightest, that do not count


def level_span(plane: NDArray[np.uint8] | NDArray[np.uint16], tail: float) -> tuple[int, int]:
    """Return the levels between which all but `tail` of the samples lie on either side; of a flat one its extremes."""
    counts = np.bincount(plane.ravel(), minlength=256)
    sums = np.cumsum(counts)
    low = int(np.searchsorted(sums, tail * sums[-1], "right"))
    high = int(np.searchsorted(sums, (1 - tail) * sums[-1], "left"))
    if low < high:
        return low, high
    levels = np.flatnonzero(counts)
    return int(levels[0]), int(levels[-1])


def dark_span(plane: NDArray[np.uint8] | NDArray[np.uint16], levels: int, black: int) -> tuple[int, int] | None:
    """Return the levels between which all dark parts of a plane (h, w) lie, where something may hide; None: none is.

    levels: of a sample; black: the lowest that is used
    """
    height, width = plane.shape
    tiles = (np.arange(height) * TILES // height)[:, None] * TILES + np.arange(width) * TILES // width
    counts = np.bincount((tiles * levels + plane).ravel(), minlength=TILES * TILES * levels)
    tiled, window = counts.reshape(TILES, TILES, levels), (WINDOW_TILES, WINDOW_TILES)
    parts = sliding_window_view(tiled, window, axis=(0, 1)).sum(axis=(-1, -2))
    sums = parts.reshape(-1, levels).cumsum(axis=1)
    low = (sums <= DARK_TAIL * sums[:, -1:]).sum(axis=1)
    high = (sums < (1 - DARK_TAIL) * sums[:, -1:]).sum(axis=1)
    dark = (high - low >= MIN_DARK_LEVELS) & (high - black < DARK_SHARE * levels)
    return (int(low[dark].min()), int(high[dark].max())) if dark.any() else None


def stretch_table(low: int, high: int, levels: int) -> NDArray[np.uint8]:
    """Return what each of `levels` becomes, (levels,), when those from `low` to `high` are spread over 0 to 255."""
    return ((np.arange(levels) - low) * (255 / max(high - low, 1))).clip(0, 255).round().astype(np.uint8)
