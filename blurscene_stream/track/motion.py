"""How a box moves: a straight line in time through where it was seen, and how far off that line it may be.

A box is a row of four numbers here: centre x, centre y, log width, log height. Sizes grow by factors, not by pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes

Rows = NDArray[np.float64]

JITTER = 0.05  # standard deviation of a detected edge, as a share of the object's size
SPEED = 2.0  # of an object of which only one box is known: standard deviation, in its sizes a second
ACCELERATION = 4.0  # in sizes a second squared
MEMORY_S = 0.15  # an older box counts for less: by 1/e for each
CERTAINTY = 1.5  # standard deviations that are covered beyond a box nobody saw
MOST_GROWN = 0.5  # sizes that are covered beyond each edge of such a box, at most
_LEAST_PX = 1.0


def to_rows(boxes: Boxes) -> Rows:
    """Boxes (N, 4), corners, as rows (N, 4)."""
    corners = boxes.astype(np.float64)
    sides = np.maximum(corners[:, 2:] - corners[:, :2], _LEAST_PX)
    return np.concatenate(((corners[:, :2] + corners[:, 2:]) / 2, np.log(sides)), axis=1)


def to_boxes(rows: Rows) -> Boxes:
    """Rows (N, 4) as boxes (N, 4), corners."""
    half = np.exp(rows[:, 2:]) / 2
    return np.concatenate((rows[:, :2] - half, rows[:, :2] + half), axis=1).astype(np.float32)


def sizes(rows: Rows) -> Rows:
    """The size (...) of each box (..., 4), by which its movement is measured: the root of its area."""
    return np.asarray(np.exp(rows[..., 2:].mean(axis=-1)), np.float64)


def grown(rows: Rows, deviation: Rows) -> Boxes:
    """Boxes (N, 4) around `rows`, larger by CERTAINTY times `deviation` (N,), in sizes, on each side."""
    boxes = to_boxes(rows)
    more = np.minimum(CERTAINTY * deviation, MOST_GROWN) * sizes(rows)
    return np.asarray(boxes + more[:, None] * np.array([-1.0, -1.0, 1.0, 1.0]), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The straight lines of N objects.

    middle_s: (N,), weighted mean of the times at which each was seen
    end_s:    (N,), the last of them, or the first when it is to be followed backwards
    rows:     (N, 4), where it is at middle_s
    slopes:   (N, 4), change a second
    weight:   (N,), sum of the weights
    spread:   (N,), weighted sum of squared distances in time from middle_s
    """

    middle_s: Rows
    end_s: Rows
    rows: Rows
    slopes: Rows
    weight: Rows
    spread: Rows

    def at(self, time_s: float) -> Rows:
        """Where each object is expected (N, 4)."""
        return self.rows + self.slopes * (time_s - self.middle_s)[:, None]

    def deviation(self, time_s: float) -> Rows:
        """How far off that each may be (N,): a standard deviation, in sizes.

        The variance of a Bayesian straight line (Bishop, Pattern Recognition and Machine Learning, 3.3.2), and what an
        acceleration unknown to it may do since the object was seen.
        """
        of_line = JITTER**2 / self.weight + JITTER**2 * (time_s - self.middle_s) ** 2 / (self.spread + _PRIOR)
        bent = ACCELERATION / 2 * (time_s - self.end_s) ** 2
        return np.asarray(np.sqrt(of_line + bent**2), np.float64)


_PRIOR = (JITTER / SPEED) ** 2  # what a speed of 0 +- SPEED, known before, counts for in `spread`


def fit(times_s: Rows, rows: Rows, known: NDArray[np.bool_]) -> Lines:
    """The lines through the boxes of N objects, the box that is followed first.

    times_s: (N, K); rows: (N, K, 4); known: (N, K), which of them there are, the first one for each
    Before anything is seen of it, an object is expected to stand still (a ridge on the slope).
    """
    end_s = times_s[:, 0]
    weights = np.where(known, np.exp(-np.abs(times_s - end_s[:, None]) / MEMORY_S), 0)
    weight = weights.sum(axis=1)
    middle_s = (weights * times_s).sum(axis=1) / weight
    middle = (weights[:, :, None] * rows).sum(axis=1) / weight[:, None]
    off_s = weights * (times_s - middle_s[:, None])
    spread = (off_s * (times_s - middle_s[:, None])).sum(axis=1)
    slopes = (off_s[:, :, None] * (rows - middle[:, None])).sum(axis=1) / (spread + _PRIOR)[:, None]
    return Lines(middle_s, end_s, middle, slopes, weight, spread)


def between(first: Rows, last: Rows, share: Rows, seconds: Rows) -> tuple[Rows, Rows]:
    """The rows (N, 4) at `share` (N,) of the ways from `first` to `last` (N, 4), `seconds` (N,) apart.

    And how far off each may be (N,), in sizes: a path with an acceleration of at most A is off its chord by at most
    A / 2 (t - t0) (t1 - t), the error of linear interpolation.
    """
    bent = ACCELERATION / 2 * share * (1 - share) * seconds**2
    return first + (last - first) * share[:, None], np.asarray(np.hypot(JITTER, bent), np.float64)
