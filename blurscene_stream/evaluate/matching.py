"""Ground truth boxes compared with detections (greedy IoU matching) and with cover masks (covered share)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, area, iou, match_greedily

MIN_COVERED_SHARE = 0.95
"""An object of which less is covered is exposed."""

_MIN_AREA_PX = 1e-6  # divisor for a box without area


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Matches of the detections of one class in one image.

    truth_indices: int64 (N,), ground truth box of each detection, -1 for none
    ignored:       bool (N,), detections without a match on an ignored object: neither true nor false positives
    """

    truth_indices: NDArray[np.int64]
    ignored: NDArray[np.bool_]

    @property
    def true_positives(self) -> NDArray[np.bool_]:
        """Return which detections (N,) have a match."""
        return np.asarray(self.truth_indices >= 0, np.bool_)


def match_detections(detections: Boxes, truth: Boxes, ignored: Boxes, min_iou: float) -> Matches:
    """Match each detection (N, 4), best score first, with the free ground truth box (M, 4) of the highest IoU.

    The rule of COCO's pycocotools, with its rule for crowds for all `ignored` boxes: a detection is a false positive
    only if less than `min_iou` of its own area lies in one of them.
    """
    indices = match_greedily(iou(detections, truth), min_iou, row_by_row=True)
    return Matches(indices, (indices < 0) & (_max_share_inside(detections, ignored) >= min_iou))


def _max_share_inside(boxes: Boxes, regions: Boxes) -> NDArray[np.float64]:
    """Return the largest share (N,) of each box that lies in one of `regions`: intersection over the box's area."""
    if not len(regions) or not len(boxes):
        return np.zeros(len(boxes))
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    intersections = np.prod(np.clip(high - low, 0, None), axis=2)
    return np.asarray(intersections.max(axis=1) / np.maximum(area(boxes), _MIN_AREA_PX), np.float64)


def covered_shares(mask: NDArray[np.bool_], boxes: Boxes) -> NDArray[np.float64]:
    """Return the share (N,) of each box (N, 4) inside a cover mask (H, W); pixels at its edges count in part.

    Boxes lie in the picture and have an area.
    """
    return np.array([_covered_share(mask, *box) for box in boxes.astype(np.float64).tolist()], np.float64)


def _covered_share(mask: NDArray[np.bool_], x0: float, y0: float, x1: float, y1: float) -> float:
    (left, columns), (top, rows) = _pixel_weights(x0, x1), _pixel_weights(y0, y1)
    window = mask[top : top + len(rows), left : left + len(columns)].astype(np.float64)
    return float(rows @ window @ columns / (columns.sum() * rows.sum()))


def _pixel_weights(start: float, stop: float) -> tuple[int, NDArray[np.float64]]:
    """Return the first pixel that start..stop touches, and how much of each touched pixel is inside."""
    edges = np.arange(np.floor(start), np.ceil(stop) + 1)
    return int(edges[0]), np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
