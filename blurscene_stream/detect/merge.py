"""Makes one box of many that show the same object."""

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes

_BLOCK = 128  # boxes compared with all others at once: bounds the memory and fits a cache


def keep_best(boxes: Boxes, scores: NDArray[np.float32], max_iou: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: the indices of the boxes (N, 4) that no better kept one overlaps by > `max_iou`.

    Best first; of equal scores the earlier one comes first.
    """
    order = np.argsort(-scores, kind="stable")
    kept = np.zeros(0, np.intp)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        free = block[~_overlapping(boxes[block], boxes[kept], max_iou).any(axis=1)]
        kept = np.concatenate([kept, free[_greedy(_overlapping(boxes[free], boxes[free], max_iou))]])
    return kept


def _greedy(overlapping: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The boxes that stay when each, best first, removes those that it overlaps (N, N)."""
    free = np.ones(len(overlapping), np.bool_)
    for index, row in enumerate(overlapping):
        if free[index]:
            free[index + 1 :] &= ~row[index + 1 :]
    return np.flatnonzero(free)


def _overlapping(one: Boxes, other: Boxes, max_iou: float) -> NDArray[np.bool_]:
    """Whether each box of `one` (N, 4) and each of `other` (M, 4) share more than `max_iou` of their union: (N, M)."""
    x0, y0, x1, y1 = one.T[:, :, None]
    u0, v0, u1, v1 = other.T[:, None, :]
    shared = np.clip(np.minimum(x1, u1) - np.maximum(x0, u0), 0, None)
    shared *= np.clip(np.minimum(y1, v1) - np.maximum(y0, v0), 0, None)
    whole = (x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared
    return np.asarray(shared > max_iou * whole)
