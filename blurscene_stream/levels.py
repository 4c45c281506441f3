"""Levels of samples: what a plane spans, but for a few pixels, and its stretch to full contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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


def stretch_table(low: int, high: int, levels: int) -> NDArray[np.uint8]:
    """Return what each of `levels` becomes, (levels,), when those from `low` to `high` are spread over 0 to 255."""
    return ((np.arange(levels) - low) * (255 / max(high - low, 1))).clip(0, 255).round().astype(np.uint8)
