"""Which detection continues which track: the assignment that costs least in all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from blurscene_stream.boxes import paired_iou
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


def are_far(expected: Rows, found: Rows) -> NDArray[np.bool_]:
    """Whether what was found (N, 4) is so far from where its track should be (N, 4) that but doubt joins them: (N,)."""
    return np.asarray(_distances(expected, found) > NEAR)


def _distances(expected: Rows, found: Rows) -> NDArray[np.float64]:
    """Between middles, in sizes of the larger one of both; the shapes (..., 4) go together as NumPy's do."""
    larger = np.maximum(sizes(expected), sizes(found))
    apart = expected[..., :2] - found[..., :2]
    return np.asarray(np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2) / larger, np.float64)


def _costs(expected: Rows, deviation: Rows, found: Rows) -> NDArray[np.float64]:
    """(T, D), 2 * NEVER where a pair is not allowed: in a crowd that is nearly all, so they are ruled out first."""
    distance = _distances(expected[:, None], found[None]) / (NEAR + np.minimum(GATE * deviation, FARTHEST)[:, None])
    ratio = np.abs(np.log(sizes(expected)[:, None] / sizes(found)[None])) / np.log(MOST_RATIO)
    allowed = (distance < 1) & (ratio < 1)
    track, detection = np.nonzero(allowed)
    overlap = paired_iou(to_boxes(expected)[track], to_boxes(found)[detection])
    costs = np.full(allowed.shape, 2 * NEVER)
    costs[allowed] = distance[allowed] + ratio[allowed] + (1 - overlap)
    return costs
