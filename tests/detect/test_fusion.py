"""The ways of merging that ensemble-boxes has: against its formulas, and against itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Boxes, iou
from blurscene_stream.config.schema import AreaMethod, MergeConfig, MergeMethod
from blurscene_stream.detect import means as means_module
from blurscene_stream.detect.merge import merge
from blurscene_stream.detect.overlap import measured
from tests.detect.crowds import Scores, random_boxes, seeds, spreads
from tests.profiles import examples

Rows = list[list[float]]
FEW = st.integers(0, 40)
IOUS = st.sampled_from([0.1, 0.3, 0.55])


def rows(boxes: Boxes, scores: Scores, method: MergeMethod, least_iou: float, views: int = 1) -> Boxes:
    made = merge(boxes, scores, MergeConfig(method, least_iou), views)
    return in_order(np.column_stack([made.boxes, made.scores]))


def in_order(table: object) -> Boxes:
    made = np.array(table, np.float32).reshape(-1, 5)
    return np.asarray(made[np.lexsort(made[:, ::-1].T.round(2))], np.float32)


def joined(boxes: Boxes, scores: Scores, least_iou: float, area_method: AreaMethod) -> list[list[int]]:
    """Which boxes become one in weighted_boxes_fusion: each joins the mean so far that it overlaps most."""
    clusters: list[list[int]] = []
    means: list[Boxes] = []
    for box in np.argsort(-scores, kind="stable").tolist():
        compared = [measured(each[None], area_method) for each in (boxes[box], *means)]
        overlap = [float(iou(mean, compared[0])[0, 0]) for mean in compared[1:]]
        best = int(np.argmax(overlap)) if overlap else -1
        if best < 0 or overlap[best] <= least_iou:
            clusters.append([box])
            means.append(boxes[box])
        else:
            clusters[best].append(box)
            means[best] = np.average(boxes[clusters[best]], axis=0, weights=scores[clusters[best]]).astype(np.float32)
    return clusters


def fused(boxes: Boxes, scores: Scores, least_iou: float, views: int) -> Rows:
    """weighted_boxes_fusion(conf_type="avg"), each of `views` models as good as the next."""
    made = []
    for cluster in joined(boxes, scores, least_iou, AreaMethod.float):
        mean = np.average(boxes[cluster], axis=0, weights=scores[cluster])
        made.append([*mean, float(scores[cluster].mean()) * min(len(cluster), views) / views])
    return made


def weighed(boxes: Boxes, scores: Scores, least_iou: float) -> Rows:
    """non_maximum_weighted."""
    clusters: list[list[int]] = []
    for box in np.argsort(-scores, kind="stable").tolist():
        overlap = [float(iou(boxes[[cluster[0]]], boxes[[box]])[0, 0]) for cluster in clusters]
        best = int(np.argmax(overlap)) if overlap else -1
        if best < 0 or overlap[best] <= least_iou:
            clusters.append([box])
        else:
            clusters[best].append(box)
    made = []
    for cluster in clusters:
        weights = scores[cluster] * iou(boxes[cluster], boxes[[cluster[0]]])[:, 0]
        made.append([*np.average(boxes[cluster], axis=0, weights=weights), float(scores[cluster[0]])])
    return made


def softly(boxes: Boxes, scores: Scores, sigma: float) -> Rows:
    """soft_nms(method=2)."""
    left, current, made = list(range(len(boxes))), scores.astype(np.float64), []
    while left:
        best = max(left, key=lambda each: current[each])
        left.remove(best)
        made.append([*boxes[best], current[best]])
        for other in left:
            current[other] *= np.exp(-(float(iou(boxes[[best]], boxes[[other]])[0, 0]) ** 2) / sigma)
    return made


@given(seeds, FEW, spreads, IOUS, st.integers(1, 6))
@examples(40)
def test_the_formulas(seed: int, count: int, spread: int, least_iou: float, views: int) -> None:
    boxes, scores = random_boxes(seed, count, spread)
    for method, expected in (
        (MergeMethod.wbf_ensemble, fused(boxes, scores, least_iou, views)),
        (MergeMethod.nmw, weighed(boxes, scores, least_iou)),
        (MergeMethod.soft_nms, softly(boxes, scores, 0.5)),
    ):
        found = rows(boxes, scores, method, least_iou, views)
        np.testing.assert_allclose(found, in_order(expected), rtol=1e-3, atol=1e-3)


@given(seeds, st.integers(0, 150), spreads, IOUS, st.sampled_from(AreaMethod), st.sampled_from([0, 3, 10**9]))
@examples(60)
def test_means_are_found_by_numpy_and_without(
    seed: int, count: int, spread: int, least_iou: float, area_method: AreaMethod, crowd: int
) -> None:
    """The means near a box, and all of them in a crowd: the same one joins."""
    boxes, scores = random_boxes(seed, count, spread)
    boxes -= np.float32(spread / 3)  # boxes reach past the border
    config = MergeConfig(MergeMethod.wbf_ensemble, least_iou, area_method)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(means_module, "_CROWD", crowd)
        found = merge(boxes, scores, config, 3)
    clusters = joined(boxes, scores, least_iou, area_method)
    assert len(found.boxes) == len(clusters)
    best = in_order(np.column_stack([found.boxes, found.best]))
    expected = [[*np.average(boxes[each], axis=0, weights=scores[each]), scores[each[0]]] for each in clusters]
    np.testing.assert_allclose(best, in_order(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore")  # of numba's and pandas' own
def test_ensemble_boxes_itself_says_the_same() -> None:
    import ensemble_boxes as ensemble  # noqa: PLC0415  # warns of the future while it is imported

    side, views = 200.0, 3
    for seed in range(20):
        boxes, scores = random_boxes(seed, 400, spread=side - 40)
        parts = np.array_split(np.arange(400), views)
        given_boxes = [(boxes[part] / side).tolist() for part in parts]
        given_scores = [scores[part].tolist() for part in parts]
        labels = [[0] * len(part) for part in parts]
        for method, function in (
            (MergeMethod.wbf_ensemble, ensemble.weighted_boxes_fusion),
            (MergeMethod.nmw, ensemble.non_maximum_weighted),
        ):
            theirs, their_scores, _ = function(given_boxes, given_scores, labels, iou_thr=0.4)
            expected = in_order(np.column_stack([theirs * side, their_scores]))
            np.testing.assert_allclose(rows(boxes, scores, method, 0.4, views), expected, rtol=1e-3, atol=1e-3)
        kept, their_scores, _ = ensemble.soft_nms([boxes / side], [scores], [np.zeros(400)], thresh=0.2)
        made = merge(boxes, scores, MergeConfig(MergeMethod.soft_nms), 1).above(0, 0.2)
        ours = in_order(np.column_stack([made.boxes, made.best]))
        np.testing.assert_allclose(ours, in_order(np.column_stack([kept * side, their_scores])), rtol=1e-3, atol=1e-3)


def test_a_fused_score_that_few_views_support_hides_nothing() -> None:
    """Seen in one of ten pictures, a score of 0.9 becomes 0.09: below the class's threshold, and still covered."""
    made = merge(*random_boxes(1, 1), MergeConfig(MergeMethod.wbf_ensemble), 10)
    assert made.scores[0] < made.best[0] / 9
    assert len(made.above(float(made.best[0]) / 2, 0).boxes) == 1
