"""Average precision, matching and covered share, against cases done by hand and a plain implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.schema import ClassConfig, Shape
from blurscene_stream.evaluate.matching import covered_shares, match_detections
from blurscene_stream.evaluate.precision_recall import PrecisionRecallCurve
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from blurscene_stream.redact import cover_mask, cover_regions

ONE = np.ones((1, 1))
BY_HAND = [  # true positives, best score first; objects; average precision
    ([True], 1, 1.0),
    ([False, True], 1, 0.5),
    ([True, False, True], 2, 0.5 + 0.5 * 2 / 3),
    ([True, True, False], 4, 0.5),
    ([False], 3, 0.0),
    ([], 2, 0.0),
]


def _curve(right: list[bool], scores: list[float], objects: int) -> PrecisionRecallCurve:
    pictures = np.zeros(len(right), np.int64)
    return PrecisionRecallCurve(np.array(scores), np.array(right, np.bool_), pictures, np.array([float(objects)]))


@pytest.mark.parametrize(("right", "objects", "area"), BY_HAND)
def test_average_precision_by_hand(right: list[bool], objects: int, area: float) -> None:
    scores = np.linspace(0.9, 0.1, len(right)).tolist()
    assert _curve(right, scores, objects).average_precision(ONE)[0] == pytest.approx(area)


def test_boxes_of_one_score_have_no_order() -> None:
    areas = {_curve(right, [0.5, 0.5], 1).average_precision(ONE)[0] for right in ([True, False], [False, True])}
    assert areas == {0.5}


def test_without_objects_there_is_no_area() -> None:
    assert np.isnan(_curve([False], [0.5], 0).average_precision(ONE)).all()


def _plain_area(scores: list[float], right: list[bool], objects: int) -> float:
    """The area under the best precision at each recall or above, threshold by threshold."""
    points = []
    for threshold in sorted(set(scores), reverse=True):
        kept = [hit for score, hit in zip(scores, right, strict=True) if score >= threshold]
        points.append((sum(kept) / objects, sum(kept) / len(kept)))
    area, last = 0.0, 0.0
    for place, (recall, _) in enumerate(points):
        area += (recall - last) * max(precision for _, precision in points[place:])
        last = recall
    return area


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=25), st.integers(0, 5))
def test_average_precision_equals_a_plain_implementation(boxes: list[tuple[int, bool]], missed: int) -> None:
    scores, right = [score / 10 for score, _ in boxes], [hit for _, hit in boxes]
    objects = sum(right) + missed
    if objects:
        area = _curve(right, scores, objects).average_precision(ONE)[0]
        assert area == pytest.approx(_plain_area(scores, right, objects))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), min_size=1, max_size=20), st.data())
def test_a_weight_is_a_copy_of_the_picture(boxes: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    pictures, scores, right = (np.array(column) for column in zip(*boxes, strict=True))
    objects = np.bincount(pictures[right], minlength=4).astype(np.float64) + 1
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4)), np.float64)
    copies = weights[pictures].astype(int)
    whole = float(objects @ weights)
    weighted = PrecisionRecallCurve(np.asarray(scores / 10, np.float64), right, pictures, objects).average_precision(
        weights[None]
    )[0]
    if whole and copies.sum():
        plain = _plain_area((scores.repeat(copies) / 10).tolist(), right.repeat(copies).tolist(), round(whole))
        assert weighted == pytest.approx(plain)


def _plain_match(found: Boxes, wanted: Boxes, min_iou: float) -> list[int]:
    free, taken = set(range(len(wanted))), []
    for box in found:
        overlaps = {place: _plain_iou(box, wanted[place]) for place in free}
        best = max(overlaps, key=lambda place: (overlaps[place], -place), default=-1)
        taken.append(best if best >= 0 and overlaps[best] >= min_iou else -1)
        free -= {taken[-1]}
    return taken


def _plain_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = float(max(width, 0) * max(height, 0))
    sizes = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return shared / (sum(sizes) - shared)


def _boxes(corners: list[tuple[int, int, int, int]]) -> Boxes:
    values = np.array(corners, np.float32).reshape(-1, 4)
    return np.hstack((values[:, :2], values[:, :2] + values[:, 2:])).astype(np.float32)


CORNERS = st.lists(st.tuples(*(st.integers(0, 8),) * 2, *(st.integers(1, 8),) * 2), max_size=8)


@given(CORNERS, CORNERS, st.sampled_from([0.29, 0.51]))
def test_matching_equals_a_plain_implementation(
    found: list[tuple[int, int, int, int]], wanted: list[tuple[int, int, int, int]], min_iou: float
) -> None:
    one, other = _boxes(found), _boxes(wanted)
    assert match_detections(one, other, _boxes([]), min_iou).truth_indices.tolist() == _plain_match(one, other, min_iou)


def test_a_detection_on_an_ignored_object_is_neither_true_nor_false_positive() -> None:
    found = _boxes([(0, 0, 10, 10), (50, 0, 10, 10), (100, 0, 10, 10)])
    result = match_detections(found, _boxes([(0, 0, 10, 10)]), _boxes([(40, 0, 40, 40)]), 0.5)
    assert result.truth_indices.tolist() == [0, -1, -1]
    assert result.ignored.tolist() == [False, True, False]


PICTURE = PictureInfo(40, 30, PIXEL_FORMATS["yuv420p"])


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((10, 10, 20, 20), 1.0),
        ((15, 10, 25, 20), 0.5),
        ((19.5, 10, 20.5, 20), 0.5),  # in the middle of a pixel
        ((30, 20, 40, 30), 0.0),
        ((9.5, 10, 10.5, 20), 0.5),
    ],
)
def test_covered_share_by_hand(box: tuple[float, ...], share: float) -> None:
    found = Detections(np.array([[10, 10, 20, 20]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), ("a",))
    mask = cover_mask(PICTURE, cover_regions(PICTURE, found, [ClassConfig(margin=0)], 0))
    assert covered_shares(mask, np.array([box], np.float32))[0] == pytest.approx(share)


def test_an_ellipse_covers_its_box_and_not_its_own_corners() -> None:
    found = Detections(np.array([[10, 10, 20, 20]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), ("a",))
    (region,) = cover_regions(PICTURE, found, [ClassConfig(margin=0, shape=Shape.ellipse)], 0)
    mask = cover_mask(PICTURE, [region])
    assert covered_shares(mask, found.xyxy)[0] == 1
    assert not mask[region.y0, region.x0]
