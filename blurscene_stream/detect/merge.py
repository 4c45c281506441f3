"""Makes one box of many that show the same object: the boxes of one class in one picture, of all its variants.

Nothing here writes into its arguments. Each method is a function in METHODS:
nms, wbf, nmm    the best, the mean or the envelope of each group (groups.py); the means are BlurScene's
the others       those of ensemble-boxes (https://github.com/ZFTurbo/Weighted-Boxes-Fusion): fusion.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import MergeConfig, MergeMethod
from blurscene_stream.detect.fusion import fuse, suppress_softly, weigh_by_overlap
from blurscene_stream.detect.groups import Groups, group
from blurscene_stream.detect.merged import Merged, weighted_mean
from blurscene_stream.detect.overlap import Floats, areas, measured

Method = Callable[[Boxes, Floats, MergeConfig, int], Merged]


def merge(boxes: Boxes, scores: Floats, config: MergeConfig, views: int) -> Merged:
    """What is left of boxes (N, 4) with scores (N,), all of one class, that `views` pictures of a frame gave.

    The order of the boxes matters only where scores are equal. Every box is in the group of one merged box.
    """
    return METHODS[config.method](boxes, scores, config, views).best_first()


def _groups(boxes: Boxes, scores: Floats, config: MergeConfig) -> Groups:
    return group(measured(boxes, config.area_method), scores, config.iou)


def _best(boxes: Boxes, scores: Floats, config: MergeConfig, _: int) -> Merged:
    """Non-maximum suppression."""
    leaders = _groups(boxes, scores, config).leaders
    return Merged(boxes[leaders], scores[leaders], scores[leaders])


def _mean(boxes: Boxes, scores: Floats, config: MergeConfig, _: int) -> Merged:
    """BlurScene's weighted box fusion: box = sum(score box) / sum(score), score = sum(score^2) / sum(score)."""
    groups = _groups(boxes, scores, config)
    made = weighted_mean(np.column_stack([boxes, scores]), scores, groups)
    return Merged(made[:, :4], made[:, 4], scores[groups.leaders])


def _envelope(boxes: Boxes, scores: Floats, config: MergeConfig, _: int) -> Merged:
    """Non-maximum merging: the box around all, score = sum(score area) / sum(area)."""
    groups = _groups(boxes, scores, config)
    corners = boxes[groups.members]
    low, high = (
        pick.reduceat(corners[:, side], groups.starts) if len(corners) else corners[:, side]
        for pick, side in ((np.minimum, slice(0, 2)), (np.maximum, slice(2, 4)))
    )
    weights = areas(measured(boxes, config.area_method))
    score = weighted_mean(scores[:, None], weights, groups)[:, 0]
    return Merged(np.concatenate([low, high], axis=1), score, scores[groups.leaders])


METHODS: Mapping[MergeMethod, Method] = {
    MergeMethod.nms: _best,
    MergeMethod.wbf: _mean,
    MergeMethod.nmm: _envelope,
    MergeMethod.wbf_ensemble: fuse,
    MergeMethod.nmw: weigh_by_overlap,
    MergeMethod.soft_nms: suppress_softly,
}
