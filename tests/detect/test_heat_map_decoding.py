"""Decoding: every peak becomes a box, and a number that is none ends the run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.detect.backends.network import CLASS_COUNT, STRIDE, VALUES, Maps
from blurscene_stream.detect.face_plate import decode_heat_maps
from blurscene_stream.errors import DetectionError


def empty_maps(pictures: int = 2, rows: int = 10, columns: int = 14) -> Maps:
    maps = np.zeros((pictures, 2, 5, rows, columns), np.float32)
    maps[:, :, 0] = -8
    return maps


def random_maps(seed: int) -> Maps:
    return np.random.default_rng(seed).standard_normal((2, 2, 5, 24, 24), np.float32)


def test_a_peak_becomes_a_box_around_its_cell() -> None:
    maps = empty_maps()
    maps[1, 0, :, 4, 6] = [2.0, np.log(10), np.log(3), 0.25, -0.5]
    candidates = decode_heat_maps(maps, [0.2, 0.2])
    assert candidates.images.tolist() == [1]
    assert candidates.class_ids.tolist() == [0]
    assert candidates.scores == pytest.approx(1 / (1 + np.exp(-2)))
    middle_x, middle_y = (6 + 0.5 - 0.5) * 4, (4 + 0.5 + 0.25) * 4
    assert candidates.boxes[0] == pytest.approx([middle_x - 6, middle_y - 20, middle_x + 6, middle_y + 20], abs=1e-3)


def test_each_class_has_its_own_threshold() -> None:
    maps = empty_maps(1)
    maps[0, 0, 0, 2, 2] = maps[0, 1, 0, 2, 2] = 0.0  # a score of 0.5
    assert decode_heat_maps(maps, [0.6, 0.4]).class_ids.tolist() == [1]
    assert decode_heat_maps(maps, [0.4, 0.6]).class_ids.tolist() == [0]


def test_neighbours_of_a_peak_are_not_peaks_but_equals_are() -> None:
    maps = empty_maps(1)
    maps[0, 0, 0, 5, 4:7] = [1.0, 2.0, 1.0]
    assert len(decode_heat_maps(maps, [0.2, 0.2]).scores) == 1
    maps[0, 0, 0, 5, 4:7] = 40.0  # scores of 1, all three
    assert len(decode_heat_maps(maps, [0.2, 0.2]).scores) == 3


def test_a_crowd_is_found_to_the_last() -> None:
    maps = empty_maps(1, 200, 200)
    maps[0, 0, 0, ::2, ::2] = 1.0
    assert len(decode_heat_maps(maps, [0.2, 0.2]).scores) == 100 * 100


def test_absurd_sizes_are_bounded() -> None:
    maps = empty_maps(1)
    maps[0, 0, :, 4, 6] = [2.0, 80.0, -80.0, 0.0, 0.0]
    x0, y0, x1, y1 = decode_heat_maps(maps, [0.2, 0.2]).boxes[0]
    assert 0 < x1 - x0 < 1
    assert 2000 < y1 - y0 < 3000


@given(seed=st.integers(0, 1000), low=st.floats(0, 0.99), high=st.floats(0, 0.99))
def test_a_higher_threshold_never_finds_more(seed: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    more, fewer = (decode_heat_maps(random_maps(seed), [each, each]) for each in (low, high))
    assert {tuple(box) for box in fewer.boxes.tolist()} <= {tuple(box) for box in more.boxes.tolist()}
    assert (fewer.scores > high).all()


@given(
    seed=st.integers(0, 100),
    cell=st.tuples(*(st.integers(0, side - 1) for side in (2, 2, 5, 24, 24))),
    bad=st.sampled_from([float("nan"), float("inf"), float("-inf")]),
)
def test_a_number_that_is_not_finite_is_an_error(seed: int, cell: tuple[int, ...], bad: float) -> None:
    maps = random_maps(seed)
    maps[cell] = bad
    with pytest.raises(DetectionError, match="not finite"):
        decode_heat_maps(maps, [0.2, 0.2])


def test_two_infinities_do_not_cancel() -> None:
    maps = random_maps(1)
    maps[0, 0, 1, 0, 0], maps[0, 0, 1, 0, 1] = float("inf"), float("-inf")
    with pytest.raises(DetectionError, match="not finite"):
        decode_heat_maps(maps, [0.2, 0.2])


def test_a_box_beyond_all_numbers_is_an_error() -> None:
    maps = empty_maps(1)
    maps[0, 0, 0, 4, 6], maps[0, 0, 3, 4, 6] = 2.0, 3e38
    with pytest.raises(DetectionError, match="not finite"):
        decode_heat_maps(maps, [0.2, 0.2])


@pytest.mark.parametrize("threshold", [0.0, 1e-6, 0.05, 0.2, 0.5, 0.999, 0.9999999, float("inf")])
def test_no_score_above_the_threshold_is_passed_over(threshold: float) -> None:
    """Against the scores of all cells: many lie within a rounding of the threshold, and on the border of the map."""
    rng, limit = np.random.default_rng(5), np.float32(threshold)
    maps = np.zeros((2, CLASS_COUNT, VALUES, 9, 11), np.float32)
    middle = np.log(max(threshold, 1e-9) / max(1 - threshold, 1e-9)) if threshold < 1 else 0.0
    maps[:, :, 0] = middle + rng.normal(0, 1, (2, CLASS_COUNT, 9, 11)) * rng.choice(
        [1e-7, 1e-4, 4], (2, CLASS_COUNT, 9, 11)
    )
    logits = maps[:, :, 0]
    scores = np.float32(1) / (np.float32(1) + np.exp(-logits))
    padded = np.pad(logits, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3)).max(axis=(4, 5))
    wanted = np.nonzero((scores > limit) & (logits >= around))
    found = decode_heat_maps(maps, [threshold] * CLASS_COUNT)
    assert (found.images.tolist(), found.class_ids.tolist()) == (wanted[0].tolist(), wanted[1].tolist())
    assert np.array_equal(found.scores, scores[wanted])
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert np.array_equal(middles[:, ::-1], (np.column_stack(wanted[2:]) + 0.5) * STRIDE)
