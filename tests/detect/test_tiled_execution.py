"""Strips: however a picture is cut, no row is lost, doubled or seen without its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from blurscene_stream.detect.backends.torch.layers import run_tiled, tile_rows


def blur_and_halve(maps: list[Tensor]) -> Sequence[Tensor]:
    """Each result row depends on its neighbours up to two rows away; the second result is half as high."""
    blurred = functional.avg_pool2d(maps[0], 5, 1, 2) + maps[1].repeat_interleave(2, 2)
    return blurred, functional.avg_pool2d(blurred, 2)


@given(height=st.integers(1, 20), rows=st.integers(1, 12), halo=st.integers(1, 4))
def test_the_result_is_that_of_the_whole(height: int, rows: int, halo: int) -> None:
    maps = [torch.rand(1, 2, 2 * height, 6), torch.rand(1, 2, height, 6)]
    for whole, part in zip(blur_and_halve(maps), run_tiled(blur_and_halve, maps, 2 * rows, 2 * halo), strict=True):
        assert torch.allclose(whole, part, atol=1e-6)


@given(width=st.integers(1, 10_000), blocks=st.integers(1, 300), pixel=st.integers(1, 200))
def test_a_tile_fits_its_budget_or_is_as_low_as_can_be(width: int, blocks: int, pixel: int) -> None:
    rows = tile_rows(width, blocks * 32, pixel, 1 << 20, 32)
    assert rows % 32 == 0
    assert 32 <= rows <= blocks * 32
    assert rows == 32 or rows * width * pixel <= 1 << 20
