"""Which detection continues which track: the assignment that costs least in all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from blurscene_stream.boxes import iou
from blurscene_stream.track.motion import Rows, sizes, to_boxes

Pairs = list[tuple[int, int]]

NEAR = 0.7  # sizes from where it was expected that an object may be found, however sure that place was
GATE = 3.0  # and so many standard deviations more
FARTHEST = 6.5  # sizes more, at most: a walker's face goes so far in a second; beyond, it could be anything
MOST_RATIO = 2.5  # of sizes: what is so much larger or smaller is another object
NEVER = 1e6


def assign(expected: Rows, deviation: Rows, found: Rows, handicap: Rows) -> Pairs:
    """Pairs (track, detection), each in one pair at most.

    expected:  (T, 4), where the tracks should be; deviation: (T,), how sure that is, in sizes
    found:     (D, 4)
    handicap:  (T,), added to what a track costs

    What a pair costs: its distance as a share of the farthest one allowed, what is missing to an IoU of 1, and the
    difference of the sizes as a share of the largest one allowed.
    """
    if not len(expected) or not len(found):
        return []
    costs = _costs(expected, deviation, found) + handicap[:, None]
    tracks, detections = linear_sum_assignment(np.minimum(costs, NEVER))
    return [(int(t), int(d)) for t, d in zip(tracks, detections, strict=True) if costs[t, d] < NEVER]


def is_far(expected: Rows, found: Rows) -> bool:
    """Whether what was found (4,) is so far from where a track should be (4,) that only doubt about that joins them."""
    return bool(_distances(expected[None], found[None])[0, 0] > NEAR)


def _distances(expected: Rows, found: Rows) -> NDArray[np.float64]:
    """(T, D), in sizes of the larger one of both."""
    larger = np.maximum(sizes(expected)[:, None], sizes(found)[None, :])
    return np.asarray(np.linalg.norm(expected[:, None, :2] - found[None, :, :2], axis=2) / larger, np.float64)


def _costs(expected: Rows, deviation: Rows, found: Rows) -> NDArray[np.float64]:
    distance = _distances(expected, found) / (NEAR + np.minimum(GATE * deviation, FARTHEST)[:, None])
    ratio = np.abs(np.log(sizes(expected)[:, None] / sizes(found)[None, :])) / np.log(MOST_RATIO)
    costs = distance + ratio + (1 - iou(to_boxes(expected), to_boxes(found)))
    return np.asarray(np.where((distance < 1) & (ratio < 1), costs, 2 * NEVER), np.float64)
