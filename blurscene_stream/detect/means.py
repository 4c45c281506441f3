"""Means of boxes that move as boxes join them; which of them a box overlaps most is asked of those near it alone."""

from __future__ import annotations

from collections import defaultdict
from math import ceil, floor

import numpy as np

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import AreaMethod, MergeConfig
from blurscene_stream.detect.overlap import Floats, Sides, iou_of, measured

Corners = tuple[float, float, float, float]
Cells = tuple[int, int, int, int]
"""First column and row, last column and row."""

_LEAST_WEIGHT = 1e-30
_CROWD = 60  # where more means are near, numpy compares all of them faster than Python does those (measured)


class Means:
    """Means of boxes, weighted by score; each is known by the place of the first box in it.

    Plain numbers, and a grid over the picture: a call of numpy takes longer than the few comparisons that a box needs.
    """

    def __init__(self, boxes: Boxes, scores: Floats, config: MergeConfig) -> None:
        """`boxes` (N, 4), best first, and their scores (N,)."""
        self._least_iou, self._whole = config.iou, config.area_method is AreaMethod.int
        compared = measured(boxes, config.area_method)
        # A cell is as large as boxes are, by the mean of their squares: all N together touch some 4 N cells.
        sides = (compared[:, 2:] - compared[:, :2]).astype(np.float64)
        self._cell = max(1.0, 1.5 * float(np.sqrt((sides**2).sum() / max(sides.size, 1))))
        weights = np.maximum(scores.astype(np.float64), _LEAST_WEIGHT)[:, None]
        self._compared: list[Corners] = compared.tolist()
        self._cells: list[Cells] = (compared // self._cell).astype(np.int64).tolist()
        self._weighted: list[list[float]] = np.hstack([weights * boxes, weights]).tolist()
        self._rows = Sides.of(compared).rows
        self._near: defaultdict[tuple[int, int], set[int]] = defaultdict(set)  # means by the cells that they touched
        self._first: list[int] = []  # box of each mean
        self._sums: list[list[float]] = []  # of weight times corner, and of the weights
        self._means: list[Corners] = []  # as they are compared
        self._mean_rows, self._moved = np.zeros_like(self._rows), set[int]()  # not yet of those that moved

    def join(self, place: int) -> int:
        """Put a box into the mean that it overlaps most, or begin one with it; the first box of that mean."""
        near = self._close_to(place)
        mean = self._best_of(near, place) if len(near) <= _CROWD else self._best_of_all(place)
        if mean is None:
            mean = len(self._first)
            self._first.append(place)
            self._sums.append(self._weighted[place])
            self._means.append(self._compared[place])
        else:
            self._sums[mean] = list(map(float.__add__, self._sums[mean], self._weighted[place]))
            self._means[mean] = self._measured(self._sums[mean])
        self._moved.add(mean)
        left, top, right, bottom = (int(corner // self._cell) for corner in self._means[mean])
        for column in range(left, right + 1):
            for row in range(top, bottom + 1):
                self._near[column, row].add(mean)
        return self._first[mean]

    def _measured(self, sums: list[float]) -> Corners:
        """See `overlap.measured`; whole pixels are those of numbers of 32 bits."""
        x0, y0, x1, y1, weight = sums
        if not self._whole:
            return x0 / weight, y0 / weight, x1 / weight, y1 / weight
        left, top, right, bottom = (np.array(sums[:4]) / weight).astype(np.float32).tolist()
        return floor(left), floor(top), ceil(right) + 1, ceil(bottom) + 1

    def _close_to(self, place: int) -> set[int]:
        """All means that may overlap a box, or at least more than _CROWD."""
        left, top, right, bottom = self._cells[place]
        near, known = set[int](), self._near
        for column in range(left, right + 1):
            for row in range(top, bottom + 1):
                if (column, row) in known:
                    near |= known[column, row]
            if len(near) > _CROWD:
                break
        return near

    def _best_of(self, near: set[int], place: int) -> int | None:
        """The mean that overlaps a box most, if enough; of equal ones the first."""
        best, most = None, self._least_iou
        x0, y0, x1, y1 = self._compared[place]
        area = (x1 - x0) * (y1 - y0)
        for mean in near:
            u0, v0, u1, v1 = self._means[mean]
            across = (x1 if x1 < u1 else u1) - (x0 if x0 > u0 else u0)
            down = (y1 if y1 < v1 else v1) - (y0 if y0 > v0 else v0)
            if across > 0 and down > 0:
                shared = across * down
                overlap = shared / (area + (u1 - u0) * (v1 - v0) - shared)
                if overlap > most or (overlap == most and (best is None or mean < best)):
                    best, most = mean, overlap
        return best

    def _best_of_all(self, place: int) -> int | None:
        moved = list(self._moved)
        self._mean_rows[:, moved] = Sides.of(np.array([self._means[mean] for mean in moved], np.float32)).rows
        self._moved.clear()
        overlap = iou_of(self._rows[:, place, None], self._mean_rows[:, : len(self._first)])
        best = int(overlap.argmax())
        return best if overlap[best] >= self._least_iou else None
