"""Sums over boxes from a summed-area table (Crow, 1984)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def box_sums(values: Tensor, x0: Tensor, y0: Tensor, x1: Tensor, y1: Tensor) -> Tensor:
    """Return the sums (B, N) of `values` (B, H, W) in boxes, int64 (B, N) each edge, half open and inside of H x W."""
    table = functional.pad(values.cumsum(1).cumsum(2), (1, 0, 1, 0))
    stride, table = table.shape[2], table.flatten(1)
    bottom_right, top_right, bottom_left, top_left = (
        table.gather(1, y * stride + x) for y, x in ((y1, x1), (y0, x1), (y1, x0), (y0, x0))
    )
    return bottom_right - top_right - bottom_left + top_left
