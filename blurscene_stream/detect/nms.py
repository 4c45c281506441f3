"""Greedy non-maximum suppression (NMS) that keeps the groups: which boxes show the same object.

The result is that of the textbook loop. Pairs of boxes are sought in one of two ways, whichever was measured to be the
faster: in a crowd by blocks, each compared with all boxes kept so far; else by sweep and prune.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import TINY, Boxes, Scores, components, components_iou

Indices = NDArray[np.intp]
Components = NDArray[np.float32]
"""Boxes as a struct of arrays (5, N): x0, y0, x1, y1, area."""

_BLOCK_BOXES = 128  # compared with all kept boxes at once: bounds the memory and fits a cache
_MIN_KEPT_SHARE = 0.5  # of the best boxes; where fewer are kept, it is a crowd
_MAX_SWEEP_PAIRS = 250_000  # above, blocks are faster
_CHUNK_PAIRS = 1 << 18  # bounds the memory of a sweep


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Boxes in groups, the group with the best box first.

    members: intp (N,), every box, those of a group side by side, the best one of each group first
    starts:  intp (G,), where in `members` each group begins
    """

    members: Indices
    starts: Indices

    @property
    def kept(self) -> Indices:
        """The best box of each group (G,): what NMS keeps."""
        return self.members[self.starts]


def group(boxes: Boxes, scores: Scores, min_iou: float) -> Groups:
    """Group boxes (N, 4): the best one that is in no group yet takes all such boxes whose IoU with it is >= `min_iou`.

    Of equal scores the earlier one comes first. Boxes without area are alone.
    """
    if len(boxes) < 2:
        return Groups(np.arange(len(boxes)), np.arange(len(boxes)))
    order = np.argsort(-scores, kind="stable")
    parts = components(boxes[order])
    if _is_crowd(parts[:, :_BLOCK_BOXES], min_iou) or (sweep := SweepAndPrune(parts)).count > _MAX_SWEEP_PAIRS:
        keeper = _suppress_by_blocks(parts, min_iou)
    else:
        keeper = _suppress_pairs(*sweep.pairs(min_iou), len(order))
    members = np.argsort(keeper, kind="stable")  # a kept box stands before those that it suppresses
    return Groups(order[members], np.flatnonzero(np.diff(keeper[members], prepend=-1)))


def _is_crowd(best: Components, min_iou: float) -> bool:
    return bool(len(_greedy(_overlap(best, best, min_iou))) < _MIN_KEPT_SHARE * best.shape[1])


def _overlap(one: Components, other: Components, min_iou: float) -> NDArray[np.bool_]:
    """Whether each box of `one` (5, N) and each of `other` (5, M) have an IoU of at least `min_iou`: (N, M)."""
    found: NDArray[np.bool_] = components_iou(one[:, :, None], other[:, None, :]) >= _threshold(min_iou)
    return found


def _threshold(min_iou: float) -> np.float32:
    return max(np.float32(min_iou), TINY)


def _greedy(overlap: NDArray[np.bool_]) -> Indices:
    """The boxes that stay when each, best first, suppresses those behind it that it overlaps (N, N)."""
    free = np.ones(len(overlap), np.bool_)
    for index, row in enumerate(overlap):
        if free[index]:
            free[index + 1 :] &= ~row[index + 1 :]
    return np.flatnonzero(free)


def _suppress_by_blocks(parts: Components, min_iou: float) -> Indices:
    """For each box, best first, the kept one that suppresses it, or itself (N,)."""
    keeper = np.arange(parts.shape[1])
    kept = keeper[:0]
    for block in np.split(keeper.copy(), range(_BLOCK_BOXES, len(keeper), _BLOCK_BOXES)):
        place, taken = _first_true(_overlap(_take(parts, block), _take(parts, kept), min_iou))
        keeper[block[taken]] = kept[place[taken]]
        free = block[~taken]
        among = _overlap(_take(parts, free), _take(parts, free), min_iou)
        np.fill_diagonal(among, True)
        new = _greedy(among)
        keeper[free] = free[new[_first_true(among[:, new])[0]]]
        kept = np.concatenate([kept, free[new]])
    return keeper


def _take(parts: Components, chosen: Indices) -> Components:
    return parts.take(chosen, axis=1)  # three times as fast as an index


def _first_true(found: NDArray[np.bool_]) -> tuple[Indices, NDArray[np.bool_]]:
    """Return the first true place of each row of (N, M), and whether there is one."""
    if not found.size:  # numpy has no argmax of nothing
        return np.zeros(len(found), np.intp), np.zeros(len(found), np.bool_)
    place = found.argmax(axis=1)
    return place, found[np.arange(len(found)), place]


def _suppress_pairs(first: Indices, second: Indices, count: int) -> Indices:
    """As `_suppress_by_blocks`, when the pairs are all that overlap enough, ordered by the first (the better) one."""
    keeper = np.full(count, -1)
    edges = np.flatnonzero(np.diff(first, prepend=-1)).tolist()
    for start, stop in pairwise([*edges, len(first)]):
        box = first[start]
        if keeper[box] < 0:
            near = second[start:stop]
            keeper[near[keeper[near] < 0]] = box
    return np.where(keeper < 0, np.arange(count), keeper)


class SweepAndPrune:
    """Broad phase: pairs of boxes that share a column, or a row, whichever are fewer.

    count: how many they are
    """

    def __init__(self, parts: Components) -> None:
        self._parts = parts
        reaches = [_reach(parts[axis], parts[axis + 2]) for axis in (0, 1)]
        axis = int(reaches[1][1].sum() < reaches[0][1].sum())
        self._order, self._counts = reaches[axis]
        self._low, self._high = (parts[row, self._order] for row in (1 - axis, 3 - axis))  # on the other axis
        self.count = int(self._counts.sum())

    def pairs(self, min_iou: float) -> tuple[Indices, Indices]:
        """Indices of the boxes with an IoU of at least `min_iou`, the lower one first, ordered by it."""
        take = self._order.take
        found = [self._overlapping(take(one), take(other), min_iou) for one, other in self._chunks()]
        first, second = (np.concatenate(each) for each in zip(*found, strict=True))
        order = _stable_order(first)
        return first.take(order), second.take(order)

    def _chunks(self) -> Iterator[tuple[Indices, Indices]]:
        """Pairs of places in the order that overlap on both axes, sought among about _CHUNK_PAIRS at a time."""
        total = np.cumsum(self._counts)
        cuts = np.searchsorted(total, np.arange(_CHUNK_PAIRS, self.count, _CHUNK_PAIRS)) + 1
        for part in np.split(np.arange(len(total)), np.unique(cuts)):
            counts = self._counts[part]
            one = np.repeat(part, counts)
            other = np.arange(1, len(one) + 1) + np.repeat(part - (np.cumsum(counts) - counts), counts)
            near = self._low.take(other) < np.repeat(self._high[part], counts)
            near &= self._high.take(other) > np.repeat(self._low[part], counts)
            yield one[near], other[near]

    def _overlapping(self, one: Indices, other: Indices, min_iou: float) -> tuple[Indices, Indices]:
        first, second = np.minimum(one, other), np.maximum(one, other)
        overlap = components_iou(_take(self._parts, first), _take(self._parts, second))
        chosen = np.flatnonzero(overlap >= _threshold(min_iou))
        return first.take(chosen), second.take(chosen)


def _stable_order(indices: Indices) -> Indices:
    """The stable order of indices, not negative; numpy sorts those that fit into 16 bits ten times as fast."""
    short = indices.max(initial=0) < 1 << 16
    return np.argsort(indices.astype(np.uint16) if short else indices, kind="stable")


def _reach(low: Components, high: Components) -> tuple[Indices, Indices]:
    """The order of intervals by their start, and how many of the following ones begin within each."""
    order = np.argsort(low, kind="stable")
    end = np.searchsorted(low[order], high[order])
    return order, np.maximum(end - np.arange(1, len(order) + 1), 0)
