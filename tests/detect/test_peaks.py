"""Peaks that are found on the device: those that NumPy finds in the same maps, one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.detect.backends.network import CLASS_COUNT, VALUES, Cells, Maps
from blurscene_stream.detect.backends.torch.peaks import MAX_CELLS, fetch_cells, pack_peaks
from blurscene_stream.detect.face_plate import find_cells
from blurscene_stream.errors import DetectionError

EVERYTHING = np.full(CLASS_COUNT, -np.inf, np.float32)


def random_maps(seed: int, levels: int, batch: int, height: int, width: int) -> Maps:
    """Maps whose logits have so many values that many of them are equal, or hardly any."""
    maps = np.random.default_rng(seed).standard_normal((batch, CLASS_COUNT, VALUES, height, width), np.float32)
    maps[:, :, 0] = (maps[:, :, 0] * levels).round() / levels
    return maps


def on_device(maps: torch.Tensor, lowest: NDArray[np.float32], limit: int = MAX_CELLS) -> Cells:
    limits = torch.from_numpy(lowest)
    return fetch_cells(pack_peaks(maps, limits, limit), maps, limits)


def assert_same(found: Cells, wanted: Cells) -> None:
    for name in Cells.__slots__:
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


@given(
    seed=st.integers(0, 1000),
    levels=st.sampled_from([1, 2, 100_000]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 11)),
    lowest=st.lists(st.floats(-3, 3, width=32) | st.sampled_from([-np.inf, np.inf]), min_size=2, max_size=2),
    limit=st.sampled_from([1, 3, MAX_CELLS]),
)
def test_the_peaks_are_those_of_numpy(
    seed: int, levels: int, shape: tuple[int, int, int], lowest: list[float], limit: int
) -> None:
    maps, limits = random_maps(seed, levels, *shape), np.array(lowest, np.float32)
    assert_same(on_device(torch.from_numpy(maps), limits, limit), find_cells(maps, limits))


def test_a_crowd_is_found_to_the_last() -> None:
    maps = np.zeros((1, CLASS_COUNT, VALUES, 200, 200), np.float32)
    maps[0, 0, 0, ::2, ::2] = 1.0
    found = on_device(torch.from_numpy(maps), np.array([0.5, 0.5], np.float32))
    assert len(found.rows) == 100 * 100 > MAX_CELLS
    assert_same(found, find_cells(maps, np.array([0.5, 0.5], np.float32)))


def test_maps_in_16_bits_and_in_another_order_in_memory_are_read_as_they_are() -> None:
    plain = torch.from_numpy(random_maps(3, 100_000, 2, 24, 32)).bfloat16()
    turned = plain.permute(0, 3, 4, 1, 2).contiguous().permute(0, 3, 4, 1, 2)
    wanted = find_cells(plain.float().numpy(), EVERYTHING)
    assert len(wanted.rows) > 100
    for maps in (plain, turned):
        assert_same(on_device(maps, EVERYTHING), wanted)


@given(
    cell=st.tuples(*(st.integers(0, side - 1) for side in (2, CLASS_COUNT, VALUES, 24, 32))),
    bad=st.sampled_from([float("nan"), float("inf"), float("-inf")]),
)
def test_a_number_that_is_not_finite_is_an_error(cell: tuple[int, ...], bad: float) -> None:
    maps = random_maps(1, 100_000, 2, 24, 32)
    maps[cell] = bad
    with pytest.raises(DetectionError, match="not finite"):
        on_device(torch.from_numpy(maps), np.array([2, 2], np.float32))
