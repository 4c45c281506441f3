"""Detail of an object that can still be seen: asked of INPUT and OUTPUT alone, no setting has a say in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blurscene_stream.verify.edges import CELLS
from blurscene_stream.verify.levels import Levels

LEAST_DETAIL = 3.0  # levels; what is as flat as this looks the same covered and uncovered
LEAST_PX = 16  # of the shorter side; in what is smaller, the few cells that cover it can look like detail
LIKE, KEPT = 0.65, 0.6
"""Detail that is so much like that of INPUT, and of which so much is left, was not hidden. Of 14,000 objects in honest
videos none had more than 0.55 of both; of one that is not covered, both are above 0.9 at crf 20."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What is finer than half a cell of the mosaic, and how much of it is left.

    levels: its root mean square in INPUT
    like:   its correlation with what OUTPUT has in its place
    kept:   the share of it that is still there
    """

    levels: float
    like: float
    kept: float

    @property
    def left(self) -> bool:
        """True when an object is not hidden."""
        return self.levels >= LEAST_DETAIL and self.like > LIKE and self.kept > KEPT


def detail(before: Levels, shown: Levels, longest_px: float) -> Detail:
    """The detail of a part of the picture, `before` and `shown`; `longest_px`: of the object that it is a part of."""
    if min(before.shape) < LEAST_PX:
        return Detail(0.0, 0.0, 0.0)
    side = max(3, int(longest_px / (2 * CELLS)) | 1)
    old, new = _fine(before, side), _fine(shown, side)
    of_old, of_new, both = (float((one * other).mean()) for one, other in ((old, old), (new, new), (old, new)))
    if of_old == 0:
        return Detail(0.0, 0.0, 0.0)
    return Detail(of_old**0.5, both / (of_old * of_new) ** 0.5 if of_new else 0.0, both / of_old)


def _fine(samples: Levels, side: int) -> Levels:
    """Without what a mean over `side` x `side` samples shows."""
    smooth = samples
    for axis in (0, 1):
        width = [(side // 2, side // 2) if each == axis else (0, 0) for each in (0, 1)]
        sums = np.cumsum(np.pad(smooth, width, mode="reflect" if smooth.shape[axis] > side // 2 else "edge"), axis=axis)
        first = np.zeros_like(sums.take([0], axis=axis))
        sums = np.concatenate((first, sums), axis=axis)
        count = smooth.shape[axis]
        smooth = (sums.take(range(side, side + count), axis) - sums.take(range(count), axis)) / np.float32(side)
    fine = samples - smooth
    return np.asarray(fine - fine.mean())
