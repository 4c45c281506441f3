"""Which box found which object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, area, iou, match_greedily
from blurscene_stream.evaluate.labels import Truth


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What became of the boxes and the objects of one class in one picture.

    taken:   int64 (N,), for each box the object that it found, -1 for none
    ignored: bool (N,), boxes that found none and lie on something that does not count: neither right nor wrong
    """

    taken: NDArray[np.int64]
    ignored: NDArray[np.bool_]


def match(found: Boxes, wanted: Boxes, spared: Boxes, least_iou: float) -> Match:
    """Each box of `found` (N, 4), best first, takes the object of `wanted` that is still free and overlaps it most.

    The rule of COCO's pycocotools, with its rule for crowds for everything in `spared`: a box counts as wrong only
    if less than `least_iou` of its own area lies in there.
    """
    taken = match_greedily(iou(found, wanted), least_iou, row_by_row=True)
    return Match(taken, (taken < 0) & (_share_inside(found, spared) >= least_iou))


def _share_inside(found: Boxes, spared: Boxes) -> NDArray[np.float64]:
    """The largest share (N,) of each box that lies in one of `spared`."""
    if not len(spared) or not len(found):
        return np.zeros(len(found))
    low = np.maximum(found[:, None, :2], spared[None, :, :2])
    high = np.minimum(found[:, None, 2:], spared[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    return np.asarray(shared.max(axis=1) / np.maximum(area(found), 1e-6), np.float64)


def of_class(truth: Truth, label: int, counts: bool) -> Boxes:
    """The boxes of one class that count, or those that do not."""
    boxes: Boxes = truth.boxes[(truth.labels == label) & (truth.counts == counts)]
    return boxes
