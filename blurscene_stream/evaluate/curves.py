"""Precision over recall, and the area below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.evaluate.estimates import Values


class Curve:
    """Precision and recall of the boxes of one class as the threshold falls.

    scores, right, pictures: of each box; order does not matter
    objects:                 (units,), objects in each picture
    """

    def __init__(self, scores: Values, right: NDArray[np.bool_], pictures: NDArray[np.int64], objects: Values) -> None:
        order = np.argsort(-scores, kind="stable")
        self.scores = scores[order]
        self._right = right[order].astype(np.float64)
        self._pictures = pictures[order]
        self._objects = objects
        # Boxes with one score come together: no threshold parts them, and their order must not matter.
        self._ends = np.searchsorted(-self.scores, -self.scores, side="right") - 1

    def points(self, weights: Values) -> tuple[Values, Values]:
        """Precision and recall (draws, boxes) for `weights` (draws, units); no recall (NaN) without objects."""
        drawn = weights[:, self._pictures]
        hits = np.cumsum(drawn * self._right, axis=1)[:, self._ends]
        boxes = np.cumsum(drawn, axis=1)[:, self._ends]
        precision = hits / np.maximum(boxes, 1)
        objects = weights @ self._objects
        recall = hits / np.where(objects > 0, objects, np.nan)[:, None]
        return precision, recall

    def average_precision(self, weights: Values) -> Values:
        """The area (draws,) below the curve, each precision being the best at that recall or a higher one.

        All points are used (Everingham et al., The PASCAL VOC Challenge, VOC 2010 on), not the 101 of COCO.
        """
        if not len(self.scores):
            return np.where(weights @ self._objects > 0, 0.0, np.nan)
        precision, recall = self.points(weights)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        steps = np.diff(recall, axis=1, prepend=0)
        return np.asarray((steps * best).sum(axis=1))
