"""Finds out which boxes show the same object: the best box, and all that overlap it enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.detect.overlap import Floats, Indices, Pairs, Sides, Sweep

_BLOCK = 128  # boxes compared with all leaders at once: bounds the memory and fits a cache
# Where boxes are apart, the pairs that a sweep finds near are few; in a crowd the leaders are (measured).
_SPARSE = 250_000  # near pairs
_CROWDED = 0.5  # share of the best boxes that lead a group


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Boxes in groups, the group with the best box first.

    members: intp (N,), every box, those of a group side by side, the best one of each group first
    starts:  intp (G,), where in `members` each group begins
    """

    members: Indices
    starts: Indices

    @property
    def leaders(self) -> Indices:
        """The best box of each group (G,)."""
        return self.members[self.starts]


def group(boxes: Boxes, scores: Floats, least_iou: float) -> Groups:
    """The best box that is in no group yet leads one, with all such boxes whose IoU with it is >= `least_iou`.

    boxes (N, 4), scores (N,); of equal scores the earlier one comes first. Boxes without area are alone.
    """
    order = np.argsort(-scores, kind="stable")
    sides = Sides.of(boxes[order])
    if _is_crowd(sides[np.arange(min(_BLOCK, len(order)))], least_iou) or (sweep := Sweep(sides)).count > _SPARSE:
        return groups_of(order, _by_blocks(sides, least_iou))
    return groups_of(order, leaders_of(sweep.pairs(least_iou), len(order)))


def _is_crowd(best: Sides, least_iou: float) -> bool:
    return len(_greedy(best.overlap(best, least_iou))) < _CROWDED * len(best.rows[0])


def groups_of(order: Indices, leader_of: Indices) -> Groups:
    """The groups, when the box order[i] belongs to the box order[leader_of[i]], the best one of its group."""
    members = np.argsort(leader_of, kind="stable")  # a leader stands before its members in `order`
    return Groups(order[members], np.flatnonzero(np.diff(leader_of[members], prepend=-1)))


def leaders_of(pairs: Pairs, count: int) -> Indices:
    """The leader of each of `count` boxes, best first, when `pairs` are all that overlap enough (count,)."""
    leader_of = np.full(count, -1)
    for box, run in pairs.runs():
        if leader_of[box] < 0:
            near = pairs.second[run]
            leader_of[near[leader_of[near] < 0]] = box
    return np.where(leader_of < 0, np.arange(count), leader_of)


def _by_blocks(sides: Sides, least_iou: float) -> Indices:
    leader_of = np.arange(sides.rows.shape[1])
    leaders = leader_of[:0]
    for block in np.split(leader_of.copy(), range(_BLOCK, len(leader_of), _BLOCK)):
        place, taken = _first(sides[block].overlap(sides[leaders], least_iou))
        leader_of[block[taken]] = leaders[place[taken]]
        free = block[~taken]
        among = sides[free].overlap(sides[free], least_iou)
        np.fill_diagonal(among, True)
        new = _greedy(among)
        leader_of[free] = free[new[_first(among[:, new])[0]]]
        leaders = np.concatenate([leaders, free[new]])
    return leader_of


def _first(found: NDArray[np.bool_]) -> tuple[Indices, NDArray[np.bool_]]:
    """Of each row of (N, M) the first true place, and whether there is one."""
    if not found.size:  # numpy has no argmax of nothing
        return np.zeros(len(found), np.intp), np.zeros(len(found), np.bool_)
    place = found.argmax(axis=1)
    return place, found[np.arange(len(found)), place]


def _greedy(among: NDArray[np.bool_]) -> Indices:
    """The boxes that stay when each, best first, removes those behind it that it overlaps (N, N)."""
    free = np.ones(len(among), np.bool_)
    for index, row in enumerate(among):
        if free[index]:
            free[index + 1 :] &= ~row[index + 1 :]
    return np.flatnonzero(free)
