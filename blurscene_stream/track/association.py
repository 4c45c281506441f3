"""Data association: which detection continues which track, the assignment with the least total cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import paired_iou
from blurscene_stream.track.motion import Floats, States, sizes, to_boxes
from blurscene_stream.track.tracks import Track, forward_trajectories

NEAR = 0.7  # sizes from its expected place within which an object may be found, however certain that place is
GATE = 3.0  # and so many standard deviations more
MAX_GATE = 6.5  # sizes more, at most: a walker's face goes so far in a second; beyond, it could be anything
MAX_SIZE_RATIO = 2.5  # a box that is larger or smaller by more is another object
TENTATIVE_COST_BIAS = 0.5  # of a track that may be nothing, beside a confirmed one
FORBIDDEN = 1e6

Solver = Callable[[Floats], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Costs (T, D) -> indices of rows and columns."""


class Association(NamedTuple):
    """The track that a detection continues; `far`: so far from its expected place that it may be another object."""

    track: Track
    far: bool


def associate(tracks: Sequence[Track], states: States, time_s: float) -> dict[int, Association]:
    """Assign detections (D, 4) at a time to tracks, one to one: the index of each assigned detection, and its track."""
    if not tracks or not len(states):
        return {}
    lines = forward_trajectories(tracks)
    expected, deviation = lines.at(time_s), lines.deviation(time_s)
    cost_bias = np.array([0.0 if track.confirmed else TENTATIVE_COST_BIAS for track in tracks])
    pairs = assign(_costs(expected, deviation, states) + cost_bias[:, None])
    distance = _distances(expected[[track for track, _ in pairs]], states[[index for _, index in pairs]])
    far = (distance > NEAR).tolist()
    return {index: Association(tracks[track], far[n]) for n, (track, index) in enumerate(pairs)}


def assign(costs: Floats) -> list[tuple[int, int]]:
    """Solve the linear assignment problem of costs (T, D): pairs (track, detection), without forbidden ones."""
    tracks, detections = _linear_sum_assignment()(np.minimum(costs, FORBIDDEN))
    return [(int(t), int(d)) for t, d in zip(tracks, detections, strict=True) if costs[t, d] < FORBIDDEN]


@cache
def _linear_sum_assignment() -> Solver:
    """Load SciPy's solver by itself: `scipy.optimize` imports all others with it, a third of the start of a run."""
    scipy = find_spec("scipy")
    folders = [f"{folder}/optimize" for folder in (scipy and scipy.submodule_search_locations) or ()]
    spec = PathFinder.find_spec("_lsap", folders)
    if spec is None or spec.loader is None:  # a SciPy that keeps it elsewhere
        return cast(Solver, import_module("scipy.optimize").linear_sum_assignment)
    solver = module_from_spec(spec)
    spec.loader.exec_module(solver)
    return cast(Solver, solver.linear_sum_assignment)


def _distances(expected: States, found: States) -> Floats:
    """Between centres, in sizes of the larger one of both; the shapes (..., 4) go together as NumPy's do."""
    larger = np.maximum(sizes(expected), sizes(found))
    apart = expected[..., :2] - found[..., :2]
    return np.asarray(np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2) / larger, np.float64)


def _costs(expected: States, deviation: Floats, found: States) -> Floats:
    """The cost of each pair (T, D); 2 * FORBIDDEN for nearly all in a crowd, so these are ruled out first.

    The distance as a share of the farthest one allowed, what is missing to an IoU of 1, and the log ratio of the sizes
    as a share of the largest one allowed.
    """
    distance = _distances(expected[:, None], found[None]) / (NEAR + np.minimum(GATE * deviation, MAX_GATE)[:, None])
    ratio = np.abs(np.log(sizes(expected)[:, None] / sizes(found)[None])) / np.log(MAX_SIZE_RATIO)
    allowed: NDArray[np.bool_] = (distance < 1) & (ratio < 1)
    track, detection = np.nonzero(allowed)
    overlap = paired_iou(to_boxes(expected)[track], to_boxes(found)[detection])
    costs = np.full(allowed.shape, 2 * FORBIDDEN)
    costs[allowed] = distance[allowed] + ratio[allowed] + (1 - overlap)
    return costs
