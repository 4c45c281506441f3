"""Merging: one box an object, and no object without one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Boxes, iou
from blurscene_stream.config.schema import AreaMethod, MergeConfig, MergeMethod
from blurscene_stream.detect import nms as nms_module
from blurscene_stream.detect.merge import MergedBoxes, merge, snap
from blurscene_stream.detect.nms import group
from tests.detect.random_boxes import Scores, configs, counts, random_boxes, seeds, slow_groups, slow_merge, spreads

BLURSCENES = [MergeMethod.nms, MergeMethod.wbf, MergeMethod.nmm]
VIEWS = 3


def rows(merged: MergedBoxes) -> Boxes:
    """x0 y0 x1 y1 score of each box."""
    return np.column_stack([merged.boxes, merged.scores])


def cover(outer: Boxes, inner: Boxes) -> bool:
    """Whether each of `inner` lies within one of `outer`."""
    low, high = outer[:, None, :2] <= inner[None, :, :2], outer[:, None, 2:] >= inner[None, :, 2:]
    return bool((low.all(2) & high.all(2)).any(0).all())


@given(seeds, counts, spreads, configs.filter(lambda config: config.method in BLURSCENES))
def test_the_formulas_are_blurscenes(seed: int, count: int, spread: int, config: MergeConfig) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    expected = np.array(slow_merge(boxes, scores, config)).reshape(-1, 5)
    np.testing.assert_allclose(rows(merge(boxes, scores, config, VIEWS)), expected, rtol=1e-4, atol=1e-4)


@given(seeds, counts, spreads, configs, st.booleans())
def test_both_ways_to_group_are_the_definition(
    seed: int, count: int, spread: int, config: MergeConfig, sparse: bool
) -> None:
    boxes, scores = random_boxes(seed, count, spread, ties=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(nms_module, "_MAX_SWEEP_PAIRS", 10**9 if sparse else -1)
        patched.setattr(nms_module, "_MIN_KEPT_SHARE", 0 if sparse else 2)
        patched.setattr(nms_module, "_BLOCK_BOXES", 16)
        patched.setattr(nms_module, "_CHUNK_PAIRS", 100)
        found = group(snap(boxes, config.area_method), scores, config.iou_threshold)
    expected = slow_groups(boxes, scores, config)
    assert found.kept.tolist() == [members[0] for members in expected]
    assert [set(members) for members in np.split(found.members, found.starts[1:])] == [
        set(members) for members in expected
    ] or count == 0


@given(seeds, counts, spreads, configs)
def test_the_order_of_boxes_does_not_matter(seed: int, count: int, spread: int, config: MergeConfig) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    order = np.random.default_rng(seed).permutation(count)
    one, other = (rows(merge(boxes[each], scores[each], config, VIEWS)) for each in (np.arange(count), order))
    one, other = (each[np.lexsort(each.T.round(3))] for each in (one, other))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


@given(seeds, counts, spreads, configs)
def test_the_arguments_stay_as_they_are(seed: int, count: int, spread: int, config: MergeConfig) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    before = boxes.copy(), scores.copy()
    boxes.flags.writeable = scores.flags.writeable = False
    made = merge(boxes, scores, config, VIEWS)
    np.testing.assert_array_equal(boxes, before[0])
    np.testing.assert_array_equal(scores, before[1])
    assert made.boxes.dtype == made.scores.dtype == made.best_scores.dtype == np.float32
    assert (np.diff(made.scores) <= 0).all()


@given(seeds, counts, spreads, configs)
def test_nmm_covers_every_box(seed: int, count: int, spread: int, config: MergeConfig) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    made = merge(boxes, scores, MergeConfig(MergeMethod.nmm, config.iou_threshold, config.area_method), VIEWS)
    assert cover(made.boxes, boxes)
    assert made.best_scores.max(initial=0) == scores.max(initial=0)


@given(seeds, counts, spreads, configs)
def test_every_box_is_kept_or_overlaps_a_kept_one_that_is_as_good(
    seed: int, count: int, spread: int, config: MergeConfig
) -> None:
    boxes, scores = random_boxes(seed, count, spread, ties=True)
    made = merge(boxes, scores, MergeConfig(MergeMethod.nms, config.iou_threshold), VIEWS)
    overlap = np.where(made.scores[None] >= scores[:, None], iou(boxes, made.boxes), 0)
    assert (overlap.max(axis=1, initial=0) >= config.iou_threshold - 1e-5).all()


@given(seeds, counts, spreads, configs, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_finds_more(
    seed: int, count: int, spread: int, config: MergeConfig, threshold: float, post: float
) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    made = merge(boxes, scores, config, VIEWS)
    for lower, higher in (
        (made.above(threshold / 2, post), made.above(threshold, post)),
        (made.above(threshold, post / 2), made.above(threshold, post)),
    ):
        assert {*map(tuple, higher.boxes.tolist())} <= {*map(tuple, lower.boxes.tolist())}


@given(seeds, counts, spreads, configs, st.floats(0, 0.99))
def test_what_scored_above_the_threshold_is_not_lost(
    seed: int, count: int, spread: int, config: MergeConfig, threshold: float
) -> None:
    """As the detector does it: only boxes above the class's threshold are merged, and nothing more is asked for."""
    boxes, scores = random_boxes(seed, count, spread)
    sure = scores > threshold
    merged = merge(boxes[sure], scores[sure], config, VIEWS)
    made = merged.above(threshold, 0)
    assert len(made.boxes) == len(merged.boxes)
    assert made.best_scores.max(initial=0) == scores[sure].max(initial=0)
    if config.method in (
        MergeMethod.nms,
        MergeMethod.nmm,
        MergeMethod.ensemble_soft_nms,
    ):  # a mean may leave a box behind
        touched = iou(boxes[sure], made.boxes).max(axis=1, initial=0)
        assert (touched > 0).all()


def test_boxes_without_area_are_kept() -> None:
    for method in MergeMethod:
        for area in (AreaMethod.float, AreaMethod.int):
            made = merge(np.zeros((3, 4), np.float32), np.ones(3, np.float32), MergeConfig(method, 0.5, area), VIEWS)
            assert len(made.boxes) == (1 if area is AreaMethod.int and method in BLURSCENES else 3)
            assert np.isfinite(rows(made)).all()


def test_int_counts_the_last_pixel() -> None:
    """Side by side without a common point, but with a common pixel as BlurScene counts."""
    boxes: Boxes = np.array([[0, 0, 2, 2], [2, 0, 4, 2]], np.float32)
    scores: Scores = np.array([0.9, 0.5], np.float32)
    shares = {AreaMethod.int: 3 / (9 + 9 - 3), AreaMethod.float: 0.0}
    for area, share in shares.items():
        merged = [merge(boxes, scores, MergeConfig(MergeMethod.nmm, iou, area), 1) for iou in (share + 0.01, 0.2)]
        assert [len(each.boxes) for each in merged] == [2, 1 if area is AreaMethod.int else 2]
