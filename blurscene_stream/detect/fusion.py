"""The ways of merging that ensemble-boxes has (https://github.com/ZFTurbo/Weighted-Boxes-Fusion), with its results.

Calculated here and not there: its numba and pandas weigh more than this whole program, and it clips boxes to the
picture and drops those without area.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import MergeConfig
from blurscene_stream.detect.groups import groups_of, leaders_of
from blurscene_stream.detect.merged import Merged, weighted_mean
from blurscene_stream.detect.overlap import Floats, Pairs, Sides, Sweep, iou_of, measured


def fuse(boxes: Boxes, scores: Floats, config: MergeConfig, views: int) -> Merged:
    """Weighted boxes fusion (Solovyev et al., 2021), conf_type "avg": each box joins the mean that it overlaps most.

    The score is the mean of the group's, times the share of the `views` that have a box in it (at most 1).
    One box after the other: the means move.
    """
    order = np.argsort(-scores, kind="stable")
    sums = np.zeros((len(order), 6))  # of score times box, score, count
    sides = np.zeros((5, len(order)), np.float32)  # of the means, as they are measured
    best, count = np.zeros(len(order), np.float32), 0
    every = Sides.of(measured(boxes[order], config.area_method)).rows
    for place, box in enumerate(order):
        overlap = iou_of(every[:, place, None], sides[:, :count])
        joined = int(overlap.argmax()) if count else 0
        if not count or overlap[joined] < config.iou:
            joined, best[count], count = count, scores[box], count + 1
        weight = max(float(scores[box]), 1e-30)
        sums[joined] += (*(weight * boxes[box]).tolist(), weight, 1)
        mean = (sums[joined, :4] / sums[joined, 4]).astype(np.float32)
        sides[:, joined] = Sides.of(measured(mean[None], config.area_method)).rows[:, 0]
    sums = sums[:count]
    share = np.minimum(sums[:, 5], views) / views
    mean_boxes, mean_scores = sums[:, :4] / sums[:, 4:5], sums[:, 4] / sums[:, 5] * share
    return Merged(mean_boxes.astype(np.float32), mean_scores.astype(np.float32), best[:count])


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
    ends, neighbours, factors = _neighbours(pairs, len(boxes), config.soft_nms_sigma)
    current, final = scores.astype(np.float64), np.zeros(len(boxes))
    waiting = [(-score, index) for index, score in enumerate(current.tolist())]
    heapq.heapify(waiting)
    while waiting:
        score, index = heapq.heappop(waiting)
        if -score != current[index]:  # it has sunk since it was put there
            heapq.heappush(waiting, (-float(current[index]), index))
            continue
        final[index] = -score
        near = slice(ends[index], ends[index + 1])
        current[neighbours[near]] *= factors[near]
    return Merged(boxes, final.astype(np.float32), scores)


def _neighbours(pairs: Pairs, count: int, sigma: float) -> tuple[list[int], NDArray[np.intp], NDArray[np.float64]]:
    """For each box the boxes that overlap it, ends[i] to ends[i + 1], and how much of their score it leaves them."""
    one = np.concatenate([pairs.first, pairs.second])
    other = np.concatenate([pairs.second, pairs.first])
    factors = np.exp(-(pairs.iou.astype(np.float64) ** 2) / sigma)
    order = np.argsort(one, kind="stable")
    ends = np.searchsorted(one[order], np.arange(count + 1)).tolist()
    return ends, other[order], np.tile(factors, 2)[order]
