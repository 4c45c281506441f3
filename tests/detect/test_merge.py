"""Merging: one box an object, and no object without one."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, iou
from blurscene_stream.detect.merge import keep_best

Scores = NDArray[np.float32]


def random_boxes(seed: int, count: int, spread: float = 100) -> tuple[Boxes, Scores]:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, spread, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(1, 40, (count, 2))], axis=1)
    scores = random.integers(0, 50, count) / 50  # with ties
    return boxes.astype(np.float32), scores.astype(np.float32)


def slowly(boxes: Boxes, scores: Scores, max_iou: float) -> list[int]:
    """The definition."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda each: -scores[each]):
        if not kept or iou(boxes[[index]], boxes[kept]).max() <= max_iou:
            kept.append(index)
    return kept


cases = {"seed": st.integers(0, 10_000), "count": st.integers(0, 300), "max_iou": st.sampled_from([0.1, 0.3, 0.5, 1.0])}


@given(**cases)
def test_it_is_greedy_suppression(seed: int, count: int, max_iou: float) -> None:
    boxes, scores = random_boxes(seed, count)
    assert keep_best(boxes, scores, max_iou).tolist() == slowly(boxes, scores, max_iou)


@given(**cases)
def test_every_box_is_kept_or_overlaps_a_kept_one_that_is_as_good(seed: int, count: int, max_iou: float) -> None:
    boxes, scores = random_boxes(seed, count)
    kept = keep_best(boxes, scores, max_iou)
    assert len(set(kept.tolist())) == len(kept)
    for index in set(range(count)) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[index]]
        assert iou(boxes[[index]], boxes[rivals]).max() >= max_iou - 1e-5


@given(**cases, threshold=st.floats(0, 1))
def test_a_higher_threshold_never_finds_more(seed: int, count: int, max_iou: float, threshold: float) -> None:
    boxes, scores = random_boxes(seed, count)
    good = np.flatnonzero(scores > threshold)
    assert set(good[keep_best(boxes[good], scores[good], max_iou)]) <= set(keep_best(boxes, scores, max_iou))


def test_the_arguments_stay_as_they_are() -> None:
    boxes, scores = random_boxes(1, 500)
    boxes.flags.writeable = scores.flags.writeable = False
    keep_best(boxes, scores, 0.5)


def test_boxes_without_area_are_kept() -> None:
    assert len(keep_best(np.zeros((3, 4), np.float32), np.ones(3, np.float32), 0.5)) == 3


def test_a_crowd_is_merged_in_no_time() -> None:
    boxes, scores = random_boxes(2, 2000, spread=1500)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        keep_best(boxes, scores, 0.5)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2  # 0.01 where nothing else runs
