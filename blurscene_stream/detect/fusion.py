"""The ways of merging that ensemble-boxes has (https://github.com/ZFTurbo/Weighted-Boxes-Fusion), with its results.

Calculated here and not there: its numba and pandas weigh more than this whole program, and it clips boxes to the
picture and drops those without area.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import MergeConfig
from blurscene_stream.detect.groups import groups_of, leaders_of
from blurscene_stream.detect.means import Means
from blurscene_stream.detect.merged import Merged, weighted_mean
from blurscene_stream.detect.overlap import Floats, Indices, Pairs, Sides, Sweep, measured, stable_order


def fuse(boxes: Boxes, scores: Floats, config: MergeConfig, views: int) -> Merged:
    """Weighted boxes fusion (Solovyev et al., 2021), conf_type "avg": each box joins the mean that it overlaps most.

    The score is the mean of the group's, times the share of the `views` that have a box in it (at most 1).
    One box after the other: the means move.
    """
    order = np.argsort(-scores, kind="stable")
    means = Means(boxes[order], scores[order], config)
    groups = groups_of(order, np.array([means.join(place) for place in range(len(order))], np.intp))
    share = np.minimum(np.diff(groups.starts, append=len(order)), views) / views
    plain = weighted_mean(scores[:, None], np.ones_like(scores), groups)[:, 0]
    made = weighted_mean(boxes, scores, groups)
    return Merged(made, (plain * share).astype(np.float32), scores[groups.leaders])


def weigh_by_overlap(boxes: Boxes, scores: Floats, config: MergeConfig, _: int) -> Merged:
    """Non-maximum weighted (Zhou et al., 2017): the mean, weighted by score and IoU with the best box; its score.

    Each box joins the best box that it overlaps most.
    """
    order = np.argsort(-scores, kind="stable")
    sides = Sides.of(measured(boxes[order], config.area_method))
    pairs = Sweep(sides).pairs(config.iou)
    leads = leaders_of(pairs, len(order)) == np.arange(len(order))
    leader_of, overlap = np.arange(len(order)), np.ones(len(order), np.float32)
    joins = np.flatnonzero(leads[pairs.first] & ~leads[pairs.second])
    joins = joins[
        np.argsort(pairs.iou[joins], kind="stable")
    ]  # of several the one with the highest IoU is written last
    leader_of[pairs.second[joins]] = pairs.first[joins]
    overlap[pairs.second[joins]] = pairs.iou[joins]
    groups = groups_of(np.arange(len(order)), leader_of)
    made = weighted_mean(boxes[order], scores[order] * overlap, groups)
    best = scores[order][groups.leaders]
    return Merged(made, best, best)


def suppress_softly(boxes: Boxes, scores: Floats, config: MergeConfig, _: int) -> Merged:
    """Soft-NMS (Bodla et al., 2017), Gaussian: every box stays, its score sinks with each better one it overlaps.

    Which of them to drop is for detect.merge.post_merge_score_threshold to say.
    """
    pairs = Sweep(Sides.of(measured(boxes, config.area_method))).pairs()
    ends, neighbours, losses = _neighbours(pairs, len(boxes), config.soft_nms_sigma)
    with np.errstate(divide="ignore"):  # a score of 0 is the last of all
        left = np.log(scores.astype(np.float64))
    final = np.full(len(boxes), -np.inf)
    for _ in range(len(boxes)):
        best = int(left.argmax())
        final[best] = max(final[best], left[best])  # of what is done, nothing is left
        left[neighbours[ends[best] : ends[best + 1]]] -= losses[ends[best] : ends[best + 1]]
        left[best] = -np.inf
    return Merged(boxes, np.exp(final).astype(np.float32), scores)


def _neighbours(pairs: Pairs, count: int, sigma: float) -> tuple[list[int], Indices, NDArray[np.float64]]:
    """For each box the boxes that overlap it, ends[i] to ends[i + 1], and what the logarithms of their scores lose."""
    one = np.concatenate([pairs.first, pairs.second])
    order = stable_order(one)
    other = np.concatenate([pairs.second, pairs.first])[order]
    losses = np.tile(pairs.iou.astype(np.float64) ** 2 / sigma, 2)[order]
    return np.searchsorted(one[order], np.arange(count + 1)).tolist(), other, losses
