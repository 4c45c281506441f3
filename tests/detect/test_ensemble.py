"""The merge methods that ensemble-boxes calculates: against their formulas, wherever boxes lie."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Boxes, iou
from blurscene_stream.config.schema import MergeConfig, MergeMethod
from blurscene_stream.detect.ensemble import _library, require_ensemble_boxes
from blurscene_stream.detect.merge import merge
from blurscene_stream.errors import ConfigError
from tests.detect.random_boxes import Scores, random_boxes, seeds, spreads
from tests.profiles import examples

Rows = list[list[float]]
FEW = st.integers(0, 40)
IOUS = st.sampled_from([0.1, 0.3, 0.55])


def rows(boxes: Boxes, scores: Scores, method: MergeMethod, min_iou: float, views: int = 1) -> Boxes:
    made = merge(boxes, scores, MergeConfig(method, min_iou), views)
    return in_order(np.column_stack([made.boxes, made.scores, made.best_scores]))


def in_order(table: object) -> Boxes:
    made = np.array(table, np.float32).reshape(-1, 6)
    return np.asarray(made[np.lexsort(made[:, ::-1].T.round(2))], np.float32)


def joined(boxes: Boxes, scores: Scores, min_iou: float) -> list[list[int]]:
    """Which boxes become one in weighted_boxes_fusion: each joins the mean so far that it overlaps most."""
    clusters: list[list[int]] = []
    means: list[Boxes] = []
    for box in np.argsort(-scores, kind="stable").tolist():
        overlap = [float(iou(mean[None], boxes[[box]])[0, 0]) for mean in means]
        best = int(np.argmax(overlap)) if overlap else -1
        if best < 0 or overlap[best] <= min_iou:
            clusters.append([box])
            means.append(boxes[box])
        else:
            clusters[best].append(box)
            means[best] = np.average(boxes[clusters[best]], axis=0, weights=scores[clusters[best]]).astype(np.float32)
    return clusters


def fused(boxes: Boxes, scores: Scores, min_iou: float, views: int) -> Rows:
    """weighted_boxes_fusion(conf_type="avg"), each of `views` models as good as the next."""
    made = []
    for cluster in joined(boxes, scores, min_iou):
        mean = np.average(boxes[cluster], axis=0, weights=scores[cluster])
        score = float(scores[cluster].mean()) * min(len(cluster), views) / views
        made.append([*mean, score, float(scores[cluster[0]])])
    return made


def weighed(boxes: Boxes, scores: Scores, min_iou: float) -> Rows:
    """non_maximum_weighted."""
    clusters: list[list[int]] = []
    for box in np.argsort(-scores, kind="stable").tolist():
        overlap = [float(iou(boxes[[cluster[0]]], boxes[[box]])[0, 0]) for cluster in clusters]
        best = int(np.argmax(overlap)) if overlap else -1
        if best < 0 or overlap[best] <= min_iou:
            clusters.append([box])
        else:
            clusters[best].append(box)
    made = []
    for cluster in clusters:
        weights = scores[cluster] * iou(boxes[cluster], boxes[[cluster[0]]])[:, 0]
        best_score = float(scores[cluster[0]])
        made.append([*np.average(boxes[cluster], axis=0, weights=weights), best_score, best_score])
    return made


def softly(boxes: Boxes, scores: Scores, sigma: float, threshold: float) -> Rows:
    """soft_nms(method=2), which gives the boxes that stay with the scores that they had."""
    left, current, made = list(range(len(boxes))), scores.astype(np.float64), []
    while left:
        best = max(left, key=lambda each: current[each])
        left.remove(best)
        if current[best] > threshold:
            made.append([*boxes[best], float(scores[best]), float(scores[best])])
        for other in left:
            current[other] *= np.exp(-(float(iou(boxes[[best]], boxes[[other]])[0, 0]) ** 2) / sigma)
    return made


@given(seeds, FEW, spreads, IOUS, st.integers(1, 6), st.sampled_from([0, 0.3]))
@examples(40)
def test_the_formulas(seed: int, count: int, spread: int, min_iou: float, views: int, threshold: float) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    boxes -= np.float32(spread / 3)  # boxes reach past the border
    for method, expected in (
        (MergeMethod.ensemble_wbf, fused(boxes, scores, min_iou, views)),
        (MergeMethod.ensemble_nmw, weighed(boxes, scores, min_iou)),
        (MergeMethod.ensemble_soft_nms, softly(boxes, scores, 0.5, 0)),
    ):
        found = rows(boxes, scores, method, min_iou, views)
        np.testing.assert_allclose(found, in_order(expected), rtol=1e-3, atol=1e-3)
    soft = MergeConfig(MergeMethod.ensemble_soft_nms, post_merge_score_threshold=threshold)
    left = merge(boxes, scores, soft, views)
    table = np.column_stack([left.boxes, left.scores, left.best_scores])
    np.testing.assert_allclose(in_order(table), in_order(softly(boxes, scores, 0.5, threshold)), rtol=1e-3, atol=1e-3)


def test_a_fused_score_that_few_views_support_hides_nothing() -> None:
    """Seen in one of ten pictures, a score of 0.9 becomes 0.09: below the class's threshold, and still covered."""
    made = merge(*random_boxes(1, 1), MergeConfig(MergeMethod.ensemble_wbf), 10)
    assert made.scores[0] < made.best_scores[0] / 9
    assert len(made.above(float(made.best_scores[0]) / 2, 0).boxes) == 1


def test_without_ensemble_boxes_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _library.cache_clear()
    monkeypatch.setitem(sys.modules, "ensemble_boxes", None)  # importing it now raises ImportError
    require_ensemble_boxes(MergeMethod.wbf)
    with pytest.raises(ConfigError, match=r"needs ensemble-boxes; pip install ensemble-boxes$"):
        require_ensemble_boxes(MergeMethod.ensemble_wbf)
