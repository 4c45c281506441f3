"""Motion model: a straight line in time through an object's boxes, and how far off that line it may be.

A box is a state of four numbers here: centre x, centre y, log width, log height. Sizes grow by factors, not by pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes

Floats = NDArray[np.float64]
States = NDArray[np.float64]
"""Boxes as states (..., 4)."""

JITTER = 0.05  # standard deviation of a detected edge, as a share of the object's size
SPEED = 2.0  # of an object of which only one box is known: standard deviation, in its sizes per second
ACCELERATION = 4.0  # in sizes per second squared
DECAY_S = 0.15  # an older box counts for less: by 1/e for each
COVERED_DEVIATIONS = 1.5  # standard deviations that are covered beyond a predicted box
MAX_GROWTH = 0.5  # sizes that are covered beyond each edge of such a box, at most
MAX_SIZE_CHANGE = 2.0
"""Factor by which the sides of a box that is extrapolated may differ from those last seen.

Two boxes of one object that differ much, of a face and its head, would be followed to one larger than the picture.
"""
_MIN_SIDE_PX = 1.0


def to_states(boxes: Boxes) -> States:
    """Convert boxes (N, 4), corners, to states (N, 4)."""
    corners = boxes.astype(np.float64)
    sides = np.maximum(corners[:, 2:] - corners[:, :2], _MIN_SIDE_PX)
    return np.concatenate(((corners[:, :2] + corners[:, 2:]) / 2, np.log(sides)), axis=1)


def to_boxes(states: States) -> Boxes:
    """Convert states (N, 4) to boxes (N, 4), corners."""
    half = np.exp(states[:, 2:]) / 2
    return np.concatenate((states[:, :2] - half, states[:, :2] + half), axis=1).astype(np.float32)


def sizes(states: States) -> Floats:
    """Return the size (...) of each box (..., 4), by which its movement is measured: the root of its area."""
    return np.asarray(np.exp(states[..., 2:].mean(axis=-1)), np.float64)


def grow(states: States, deviation: Floats) -> Boxes:
    """Return boxes (N, 4), on each side larger by COVERED_DEVIATIONS times `deviation` (N,), which is in sizes."""
    boxes = to_boxes(states)
    margin = np.minimum(COVERED_DEVIATIONS * deviation, MAX_GROWTH) * sizes(states)
    return np.asarray(boxes + margin[:, None] * np.array([-1.0, -1.0, 1.0, 1.0]), np.float32)


def limit_sizes(states: States, seen: States) -> States:
    """Return states (N, 4) whose sides differ from those of `seen` (N, 4) by MAX_SIZE_CHANGE at most."""
    reach = np.array([np.inf, np.inf, np.log(MAX_SIZE_CHANGE), np.log(MAX_SIZE_CHANGE)])
    return np.clip(states, seen - reach, seen + reach)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Straight lines in time, fitted to the boxes of N objects.

    mean_s: (N,), weighted mean of the times of the boxes
    end_s:  (N,), the last of these times, or the first when the line is followed backwards
    states: (N, 4), at mean_s
    slopes: (N, 4), change per second
    weight: (N,), sum of the weights
    spread: (N,), weighted sum of squared distances in time from mean_s
    """

    mean_s: Floats
    end_s: Floats
    states: States
    slopes: States
    weight: Floats
    spread: Floats

    def at(self, time_s: float) -> States:
        """Return the expected state of each object (N, 4)."""
        return self.states + self.slopes * (time_s - self.mean_s)[:, None]

    def deviation(self, time_s: float) -> Floats:
        """Return how far off that each may be (N,): a standard deviation, in sizes.

        The variance of a Bayesian straight line (Bishop, Pattern Recognition and Machine Learning, 3.3.2), and the way
        of an unknown acceleration since the object was observed.
        """
        of_line = JITTER**2 / self.weight + JITTER**2 * (time_s - self.mean_s) ** 2 / (self.spread + _PRIOR)
        bent = ACCELERATION / 2 * (time_s - self.end_s) ** 2
        return np.asarray(np.sqrt(of_line + bent**2), np.float64)


_PRIOR = (JITTER / SPEED) ** 2  # the weight in `spread` of the speed 0 +- SPEED that is assumed beforehand


def fit(times_s: Floats, states: States, known: NDArray[np.bool_]) -> Trajectories:
    """Fit lines to the boxes of N objects, the end that is extrapolated first.

    times_s: (N, K); states: (N, K, 4); known: (N, K), which of them there are, the first one for each
    Until its boxes show otherwise, an object is expected to stand still (a ridge on the slope).
    """
    end_s = times_s[:, 0]
    weights = np.where(known, np.exp(-np.abs(times_s - end_s[:, None]) / DECAY_S), 0)
    weight = weights.sum(axis=1)
    mean_s = (weights * times_s).sum(axis=1) / weight
    mean = (weights[:, :, None] * states).sum(axis=1) / weight[:, None]
    off_s = weights * (times_s - mean_s[:, None])
    spread = (off_s * (times_s - mean_s[:, None])).sum(axis=1)
    slopes = (off_s[:, :, None] * (states - mean[:, None])).sum(axis=1) / (spread + _PRIOR)[:, None]
    return Trajectories(mean_s, end_s, mean, slopes, weight, spread)


def interpolate(first: States, last: States, share: Floats, seconds: Floats) -> tuple[States, Floats]:
    """Return the states (N, 4) at `share` (N,) of the ways from `first` to `last` (N, 4), `seconds` (N,) apart.

    And how far off each may be (N,), in sizes: a path with an acceleration of at most A is off its chord by at most
    A / 2 (t - t0) (t1 - t), the error of linear interpolation.
    """
    bent = ACCELERATION / 2 * share * (1 - share) * seconds**2
    return first + (last - first) * share[:, None], np.asarray(np.hypot(JITTER, bent), np.float64)
