"""Boxes at random, and the definitions of merging that the fast code is held against."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, iou
from blurscene_stream.config.schema import AreaMethod, MergeConfig, MergeMethod

Scores = NDArray[np.float32]

seeds = st.integers(0, 10_000)
counts = st.integers(0, 150)
spreads = st.sampled_from([10, 100, 1000])
configs = st.builds(
    MergeConfig,
    method=st.sampled_from(MergeMethod),
    iou_threshold=st.sampled_from([0.1, 0.3, 0.5, 1.0]),
    area_method=st.sampled_from(AreaMethod),
)


def random_boxes(seed: int, count: int, spread: float = 100, ties: bool = False) -> tuple[Boxes, Scores]:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, spread, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(1, 40, (count, 2))], axis=1)
    scores = random.integers(1, 50, count) / 50 if ties else random.uniform(0.01, 1, count)
    return boxes.astype(np.float32), scores.astype(np.float32)


def sizes(boxes: Boxes, method: AreaMethod) -> tuple[Boxes, NDArray[np.float64]]:
    """BlurScene's two ways to measure, word for word: corners to compare with, and areas."""
    if method is AreaMethod.float:
        x0, y0, x1, y1 = boxes.astype(np.float64).T
        return boxes, (x1 - x0) * (y1 - y0)
    whole = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    x0, y0, x1, y1 = whole.astype(np.float64).T
    return np.concatenate([whole[:, :2], whole[:, 2:] + 1], axis=1), (x1 - x0 + 1) * (y1 - y0 + 1)


def slow_groups(boxes: Boxes, scores: Scores, config: MergeConfig) -> list[list[int]]:
    """The definition: the best box that is in no group takes all such boxes with IoU >= the threshold to it."""
    compared, _ = sizes(boxes, config.area_method)
    left = sorted(range(len(boxes)), key=lambda each: -scores[each])
    groups = []
    while left:
        overlap = iou(compared[[left[0]]], compared[left])[0]
        groups.append(
            [left[0], *(box for box, share in zip(left[1:], overlap[1:], strict=True) if share >= config.iou_threshold)]
        )
        left = [box for box in left if box not in groups[-1]]
    return groups


def slow_merge(boxes: Boxes, scores: Scores, config: MergeConfig) -> list[list[float]]:
    """BlurScene's three ways of merging, word for word: x0 y0 x1 y1 score, sorted by score."""
    _, areas = sizes(boxes, config.area_method)
    made = []
    for group in slow_groups(boxes, scores, config):
        b, s, a = boxes[group].astype(np.float64), scores[group].astype(np.float64), areas[group]
        if config.method is MergeMethod.wbf:
            made.append([*(s[:, None] * b).sum(0) / s.sum(), (s**2).sum() / s.sum()])
        elif config.method is MergeMethod.nmm:
            made.append([*b[:, :2].min(0), *b[:, 2:].max(0), (s * a).sum() / a.sum()])
        else:
            made.append([*b[0], s[0]])
    return sorted(made, key=lambda row: -row[4])
