"""Merging of overlapping boxes of one class in one picture: NMS, weighted box fusion (WBF), non-maximum merging (NMM).

`nms`, `wbf` and `nmm` are BlurScene's, in NumPy; those of ensemble-boxes are in ensemble.py. Nothing here writes into
its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from blurscene_stream.boxes import Boxes, Scores, area
from blurscene_stream.config.schema import AreaMethod, MergeConfig, MergeMethod
from blurscene_stream.detect import ensemble
from blurscene_stream.detect.nms import Groups, group

_MIN_WEIGHT = 1e-30  # a group whose weights are all 0 has a plain mean


@dataclass(frozen=True, slots=True, eq=False)
class MergedBoxes:
    """Merged boxes of one class, sorted by score.

    boxes:       float32 (N, 4)
    scores:      float32 (N,), as the method calculates them
    best_scores: float32 (N,), the highest score that the network gave to a box of the group
    """

    boxes: Boxes
    scores: Scores
    best_scores: Scores

    def above(self, threshold: float, post_merge_threshold: float) -> MergedBoxes:
        """Return those whose best score is above `threshold`, and whose score is above `post_merge_threshold`.

        0 as the second asks for nothing: a merged score that has sunk below the class's threshold, as means make it
        do, hides no object that the network found.
        """
        kept = self.best_scores > np.float32(threshold)
        if post_merge_threshold > 0:
            kept &= self.scores > np.float32(post_merge_threshold)
        return MergedBoxes(self.boxes[kept], self.scores[kept], self.best_scores[kept])


def merge(boxes: Boxes, scores: Scores, config: MergeConfig, view_count: int) -> MergedBoxes:
    """Merge boxes (N, 4) with scores (N,), all of one class, from `view_count` views of a picture.

    The order of the boxes matters only where scores are equal. Every box is in the group of one merged box.
    """
    if not len(boxes):
        return MergedBoxes(boxes, scores, scores)
    merged, merged_scores, best_scores = METHODS[config.method](boxes, scores, config, view_count)
    order = np.argsort(-merged_scores, kind="stable")
    return MergedBoxes(merged[order], merged_scores[order], best_scores[order])


def snap(boxes: Boxes, method: AreaMethod) -> Boxes:
    """Boxes (N, 4) whose sides and overlaps, taken as they are, are those that `method` means.

    BlurScene's "int" goes out to whole pixels and counts the last one: A = (x1 - x0 + 1)(y1 - y0 + 1).
    """
    if method is AreaMethod.float:
        return boxes
    return np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:]) + 1], axis=1)


def _groups(boxes: Boxes, scores: Scores, config: MergeConfig) -> Groups:
    return group(snap(boxes, config.area_method), scores, config.iou_threshold)


def _nms(boxes: Boxes, scores: Scores, config: MergeConfig, _: int) -> ensemble.Merged:
    """Non-maximum suppression: the best box of each group."""
    kept = _groups(boxes, scores, config).kept
    return boxes[kept], scores[kept], scores[kept]


def _wbf(boxes: Boxes, scores: Scores, config: MergeConfig, _: int) -> ensemble.Merged:
    """BlurScene's weighted box fusion: box = sum(score box) / sum(score), score = sum(score^2) / sum(score)."""
    groups = _groups(boxes, scores, config)
    made = _weighted_mean(np.column_stack([boxes, scores]), scores, groups)
    return made[:, :4], made[:, 4], scores[groups.kept]


def _nmm(boxes: Boxes, scores: Scores, config: MergeConfig, _: int) -> ensemble.Merged:
    """Non-maximum merging: the box around all, score = sum(score area) / sum(area)."""
    groups = _groups(boxes, scores, config)
    corners = boxes[groups.members]
    low, high = (
        pick.reduceat(corners[:, side], groups.starts) if len(corners) else corners[:, side]
        for pick, side in ((np.minimum, slice(0, 2)), (np.maximum, slice(2, 4)))
    )
    score = _weighted_mean(scores[:, None], area(snap(boxes, config.area_method)), groups)[:, 0]
    return np.concatenate([low, high], axis=1), score, scores[groups.kept]


def _weighted_mean(values: Scores, weights: Scores, groups: Groups) -> Scores:
    """The mean of `values` (N, K) within each group, weighted by `weights` (N,), not negative: (G, K)."""
    if not len(values):
        return values
    positive = np.maximum(weights[groups.members].astype(np.float64), _MIN_WEIGHT)
    sums = np.add.reduceat(values[groups.members] * positive[:, None], groups.starts)
    return np.asarray(sums / np.add.reduceat(positive, groups.starts)[:, None], np.float32)


METHODS: Mapping[MergeMethod, Callable[[Boxes, Scores, MergeConfig, int], ensemble.Merged]] = {
    MergeMethod.nms: _nms,
    MergeMethod.wbf: _wbf,
    MergeMethod.nmm: _nmm,
    MergeMethod.ensemble_wbf: ensemble.wbf,
    MergeMethod.ensemble_nmw: ensemble.nmw,
    MergeMethod.ensemble_soft_nms: ensemble.soft_nms,
}
