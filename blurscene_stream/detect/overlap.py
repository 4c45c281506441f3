"""Which boxes overlap, and by how much: all with all, or only those that a sweep across the picture finds near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import AreaMethod

Indices = NDArray[np.intp]
Floats = NDArray[np.float32]

_AT_ONCE = 1 << 18  # pairs: bounds the memory
_ABOVE_0 = np.float32(1e-30)


def measured(boxes: Boxes, method: AreaMethod) -> Boxes:
    """Boxes (N, 4) whose sides and overlaps, taken as they are, are those that `method` means.

    BlurScene's "int" goes out to whole pixels and counts the last one: A = (x1 - x0 + 1)(y1 - y0 + 1).
    """
    if method is AreaMethod.float:
        return boxes
    return np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:]) + 1], axis=1)


def areas(boxes: Boxes) -> Floats:
    """Areas (N,) of boxes (N, 4) that are not turned inside out."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Boxes as five rows (5, N): x0, y0, x1, y1, area."""

    rows: Floats

    @classmethod
    def of(cls, boxes: Boxes) -> Sides:
        """The boxes (N, 4) by rows."""
        return cls(np.concatenate([boxes.T, areas(boxes)[None]]))

    def __getitem__(self, chosen: Indices) -> Sides:
        return Sides(self.rows.take(chosen, axis=1))  # three times as fast as an index

    def overlap(self, other: Sides, least_iou: float) -> NDArray[np.bool_]:
        """Whether each box and each of `other` (M) share at least `least_iou` of their union: (N, M)."""
        iou = iou_of(self.rows[:, :, None], other.rows[:, None, :])
        found: NDArray[np.bool_] = iou >= max(np.float32(least_iou), _ABOVE_0)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Boxes that overlap, ordered by the first of each pair.

    first, second: intp (P,), indices of boxes, first < second
    iou:           float32 (P,), above 0
    """

    first: Indices
    second: Indices
    iou: Floats

    def runs(self) -> Iterator[tuple[int, slice]]:
        """Each box that is the first of some pairs, and where these are."""
        edges = np.flatnonzero(np.diff(self.first, prepend=-1)).tolist()
        for start, stop in pairwise([*edges, len(self.first)]):
            yield int(self.first[start]), slice(start, stop)


class Sweep:
    """Pairs of boxes that may overlap: those that share a column, or a row, whichever are fewer.

    count: how many they are
    """

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        reaches = [_reach(sides.rows[axis], sides.rows[axis + 2]) for axis in (0, 1)]
        axis = int(reaches[1][1].sum() < reaches[0][1].sum())
        self._order, self._counts = reaches[axis]
        self._low, self._high = (sides.rows[row, self._order] for row in (1 - axis, 3 - axis))  # on the other axis
        self.count = int(self._counts.sum())

    def pairs(self, least_iou: float = 0.0) -> Pairs:
        """Those that really overlap, by at least `least_iou`."""
        take = self._order.take
        found = [self._overlapping(take(one), take(other), least_iou) for one, other in self._chunks()]
        first, second, iou = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = stable_order(first)
        return Pairs(first.take(order), second.take(order), iou.take(order))

    def _chunks(self) -> Iterator[tuple[Indices, Indices]]:
        """Pairs of places in the order that overlap on both axes; about _AT_ONCE are looked at at a time."""
        total = np.cumsum(self._counts)
        cuts = np.searchsorted(total, np.arange(_AT_ONCE, self.count, _AT_ONCE)) + 1
        for part in np.split(np.arange(len(total)), np.unique(cuts)):
            counts = self._counts[part]
            one = np.repeat(part, counts)
            other = np.arange(1, len(one) + 1) + np.repeat(part - (np.cumsum(counts) - counts), counts)
            near = self._low.take(other) < np.repeat(self._high[part], counts)
            near &= self._high.take(other) > np.repeat(self._low[part], counts)
            yield one[near], other[near]

    def _overlapping(self, one: Indices, other: Indices, least_iou: float) -> tuple[Indices, Indices, Floats]:
        first, second = np.minimum(one, other), np.maximum(one, other)
        iou = iou_of(self._sides[first].rows, self._sides[second].rows)
        chosen = np.flatnonzero(iou >= max(np.float32(least_iou), _ABOVE_0))
        return first.take(chosen), second.take(chosen), iou.take(chosen)


def stable_order(indices: Indices) -> Indices:
    """The stable order of indices, not negative; numpy sorts those that fit into 16 bits ten times as fast."""
    short = indices.max(initial=0) < 1 << 16
    return np.argsort(indices.astype(np.uint16) if short else indices, kind="stable")


def _reach(low: Floats, high: Floats) -> tuple[Indices, Indices]:
    """The order of intervals by their start, and how many of the following ones begin within each."""
    order = np.argsort(low, kind="stable")
    end = np.searchsorted(low[order], high[order])
    return order, np.maximum(end - np.arange(1, len(order) + 1), 0)


def iou_of(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes by rows (5, ...) that broadcast; 0 where there is no area."""
    x0, y0, x1, y1, area = one
    u0, v0, u1, v1, other_area = other
    shared = np.minimum(x1, u1)
    shared -= np.maximum(x0, u0)
    down = np.minimum(y1, v1)
    down -= np.maximum(y0, v0)
    np.maximum(shared, 0, out=shared)
    np.maximum(down, 0, out=down)
    shared *= down
    np.add(area, other_area, out=down)
    down -= shared
    np.maximum(down, _ABOVE_0, out=down)
    shared /= down
    return np.asarray(shared)
