"""Boxes: a mistake here covers the wrong place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import (
    NO_TRACK,
    Boxes,
    Detections,
    Orientation,
    Origin,
    area,
    iou,
    match_greedily,
    scale,
    smaller_share,
)

ORIENTATIONS = [Orientation(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]


@st.composite
def boxes(draw: st.DrawFn, most: int = 5) -> Boxes:
    corner = st.floats(-50, 500, width=32)
    rows = draw(st.lists(st.tuples(corner, corner, corner, corner), max_size=most))
    made = np.array(rows, np.float32).reshape(-1, 4)
    return np.concatenate([np.minimum(made[:, :2], made[:, 2:]), np.maximum(made[:, :2], made[:, 2:])], axis=1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@given(x=st.integers(0, 12), y=st.integers(0, 8))
def test_a_box_on_the_upright_picture_comes_back_to_the_same_pixel(orientation: Orientation, x: int, y: int) -> None:
    stored = np.zeros((9, 13), np.uint8)
    stored[y, x] = 1
    upright = orientation.upright(stored)
    row, column = (int(place[0]) for place in np.nonzero(upright))
    box = np.array([[column, row, column + 1, row + 1]], np.float32)
    width, height = orientation.upright_size(13, 9)
    assert upright.shape == (height, width)
    assert orientation.to_stored(box, width, height).tolist() == [[x, y, x + 1, y + 1]]
    assert orientation.to_upright(orientation.to_stored(box, width, height), width, height).tolist() == box.tolist()


@given(boxes(), boxes())
def test_the_share_of_the_smaller_box_is_no_less_than_the_iou_and_at_most_1(one: Boxes, other: Boxes) -> None:
    share = smaller_share(one, other)
    assert (share >= iou(one, other) - 1e-4).all() and (share <= 1 + 1e-3).all()


def test_what_lies_in_a_box_shares_all_of_itself_with_it() -> None:
    around, inside, half, empty = (0, 0, 40, 40), (10, 5, 20, 15), (30, 0, 50, 40), (7, 7, 7, 9)
    share = smaller_share(np.array([around], np.float32), np.array([inside, half, empty], np.float32))
    assert share[0].tolist() == pytest.approx([1, 0.5, 0])


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(one: Boxes, other: Boxes) -> None:
    both = iou(one, other)
    assert both.shape == (len(one), len(other))
    assert np.allclose(both, iou(other, one).T)
    assert ((both >= 0) & (both <= 1.0001)).all()


@given(boxes())
def test_a_box_with_an_area_overlaps_itself_wholly(made: Boxes) -> None:
    solid = made[area(made) > 1]
    assert np.allclose(np.diag(iou(solid, solid)), 1, atol=1e-3)


def test_scaling_multiplies_each_axis() -> None:
    assert scale(np.array([[1, 2, 3, 4]], np.float32), 2, 10).tolist() == [[2, 20, 6, 40]]


NAN = float("nan")


@pytest.mark.parametrize(
    ("made", "scores", "labels", "said"),
    [
        ([[0, 0, 1]], [1], [0], "xyxy must be"),  # three corners
        ([[0, 0, 1, 1]], [], [0], "need 1 scores"),  # a box without a score
        ([[0, 0, 1, 1]], [1], [0, 0], "need 1 scores"),  # a class id too many
        ([[0, 0, 1, NAN]], [1], [0], "finite"),  # a box nobody knows the place of
        ([[0, 0, 1, 1]], [NAN], [0], "finite"),  # a score that no threshold can judge
        ([[0, 0, 1, 1]], [1], [2], "class ids"),  # a class without a name
        ([[0, 0, 1, 1]], [1], [-1], "class ids"),
    ],
)
def test_detections_that_make_no_sense_are_refused(
    made: list[list[float]], scores: list[float], labels: list[int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Detections(
            np.array(made, np.float32), np.array(scores, np.float32), np.array(labels, np.int64), ("face", "plate")
        )


def test_detections_are_chosen_and_counted_by_class() -> None:
    found = Detections(
        np.zeros((3, 4), np.float32), np.array([0.9, 0.5, 0.1], np.float32), np.array([0, 1, 1]), ("face", "plate")
    )
    assert [found.count("face"), found.count("plate"), found.count("dog")] == [1, 2, 0]
    assert len(found[found.scores > 0.3]) == 2
    assert len(Detections.empty(("face",))) == 0


def test_a_choice_and_a_sum_of_detections_keep_where_boxes_came_from() -> None:
    boxes, scores, labels = np.eye(4, dtype=np.float32), np.full(4, 0.5, np.float32), np.array([0, 1, 0, 1])
    plain = Detections(boxes, scores, labels, ("face", "license_plate"))
    assert plain.origins.tolist() == [Origin.detected] * 4
    assert plain.track_ids.tolist() == [NO_TRACK] * 4
    origins = np.array([Origin.extrapolated, Origin.interpolated], np.int8)
    tracked = Detections(boxes[:2], scores[:2], labels[:2], plain.class_names, origins, np.array([7, 9]))
    together = Detections.concatenate([plain, tracked])[np.array([3, 5])]
    assert together.origins.tolist() == [Origin.detected, Origin.interpolated]
    assert together.track_ids.tolist() == [NO_TRACK, 9]
    with pytest.raises(ValueError, match="4 boxes need 4 origins and track ids"):
        Detections(boxes, scores, labels, plain.class_names, origins)


SIDES = st.integers(0, 8)


def definition(overlaps: NDArray[np.float32], min_overlap: float, row_by_row: bool) -> list[int]:
    """Take the best pair that is left again and again: of all rows, or of one row after the other."""
    left, matches = overlaps.copy(), [-1] * len(overlaps)
    for rows in [[row] for row in range(len(left))] if row_by_row else [list(range(len(left)))] * len(left):
        part = left[rows]
        if part.size and part.max() >= min_overlap:
            row, column = np.unravel_index(part.argmax(), part.shape)
            matches[rows[row]] = int(column)
            left[rows[row]], left[:, column] = -1, -1
    return matches


@given(SIDES, SIDES, st.integers(0, 10_000), st.sampled_from([0.1, 0.3, 0.5]), st.booleans())
def test_matching_is_the_definition(rows: int, columns: int, seed: int, min_overlap: float, row_by_row: bool) -> None:
    overlaps = (np.random.default_rng(seed).integers(0, 11, (rows, columns)) / 10).astype(np.float32)
    matches = match_greedily(overlaps, min_overlap, row_by_row).tolist()
    assert matches == definition(overlaps, min_overlap, row_by_row)


@pytest.mark.parametrize(("row_by_row", "matches"), [(False, [-1, 0]), (True, [0, -1])])
def test_the_best_pair_or_the_first_row_comes_first(row_by_row: bool, matches: list[int]) -> None:
    assert match_greedily(np.array([[0.6], [0.9]], np.float32), 0.5, row_by_row).tolist() == matches
