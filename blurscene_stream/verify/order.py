"""Does each frame show its own moment, not the one before or after?"""

from __future__ import annotations

from collections import deque

import numpy as np

from blurscene_stream.verify.levels import Levels
from blurscene_stream.verify.loss import Loss
from blurscene_stream.verify.moment import Moment
from blurscene_stream.verify.report import Check, Grade

MOVED = 12.0  # levels between two frames; less than that an encoder may leave as it was in the frame before
LEAST_MOVED = 32  # blocks
ANOTHER = 0.8
"""How far what has moved is shown as in another frame: 0 in a frame that is its own, 1 in the other. An encoder that
leaves out small changes comes to 0.75 at most in honest videos at crf 35, and to 0.2 at crf 20."""


class Order:
    """Compares what has moved between two frames of INPUT with what OUTPUT shows; always one frame behind."""

    def __init__(self, check: Check, loss: Loss) -> None:
        """`check`: where it is told; `loss`: of the codec, as it was learned so far."""
        self._check, self._loss = check, loss
        self._last: deque[tuple[Moment, Levels]] = deque(maxlen=3)

    def look(self, moment: Moment) -> None:
        """One moment more."""
        self._last.append((moment, moment.hidden.coarse))
        if len(self._last) == 2:
            self._compare(0, 1)
        if len(self._last) == 3:
            self._compare(1, 0)
            self._compare(1, 2)

    def finish(self) -> None:
        """The last frame has no other after it."""
        if len(self._last) > 1:
            self._compare(-1, -2)

    def _compare(self, own: int, other: int) -> None:
        moment, here = self._last[own]
        neighbour, there = self._last[other]
        if shown_as(here, there, moment.shown.coarse) > ANOTHER:
            text = f"shows what frame {neighbour.number} of INPUT shows"
            self._check.add(self._loss.grade(Grade.fail), text, moment.number, moment.time_s)


def shown_as(own: Levels, other: Levels, shown: Levels) -> float:
    """How far `shown` is `other` instead of `own`, where these two differ: 0 to 1; 0 where they hardly do.

    The share `s` for which `own + s * (other - own)` is nearest to `shown`, by least squares.
    """
    step = other - own
    moved = np.abs(step) > MOVED
    if np.count_nonzero(moved) < LEAST_MOVED:
        return 0.0
    there = step[moved]
    return float(((shown - own)[moved] * there).sum() / (there * there).sum())
