"""Drawing of planned crops on a CPU, by OpenCV; `draw` says the same in plain torch, and takes twenty times as long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scripts.training.crops import DRAWN_KEYS, EDGE_ACROSS, EDGE_DOWN, PATCH_KEYS, PATCHES, SIDE

_Arrays = Mapping[str, NDArray[np.generic]]
_Rgb = NDArray[np.uint8]


def draw_by_opencv(pixels: Tensor, plan: Mapping[str, Tensor], size: int) -> Tensor:
    """See `draw.Draw`. Positions in the images are rounded to 1/32 pixel, values to whole numbers."""
    store = pixels.numpy()
    arrays = {key: plan[key].numpy() for key in DRAWN_KEYS}
    crops = range(len(arrays["flip"]))
    drawn = np.stack([_draw_one(store, {key: value[crop] for key, value in arrays.items()}, size) for crop in crops])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).half()


def _draw_one(store: _Rgb, plan: _Arrays, size: int) -> _Rgb:
    crop = np.empty((size, size, 3), np.uint8)
    for cell, left, top, right, bottom in _cells(plan, size):
        level, matrix = _level(store, plan["source"][cell]), plan["matrix"][cell]
        fill = [round(float(value)) for value in plan["fill"][cell]]
        crop[top:bottom, left:right] = _warped(level, matrix, (left, top, right, bottom), fill)
    for patch in range(PATCHES):
        _draw_patch(store, {key: plan[f"patch_{key}"][patch] for key in PATCH_KEYS}, crop)
    return crop[:, ::-1] if plan["flip"] else crop


def _cells(plan: _Arrays, size: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield the index and the corners of each cell that lies in the crop."""
    rows, columns = (np.minimum(plan[name], size).tolist() for name in ("rows", "columns"))
    for row, (top, bottom) in enumerate(pairwise([*rows[:SIDE], size])):
        for column, (left, right) in enumerate(pairwise([*columns[:SIDE], size])):
            if right > left and bottom > top:
                yield row * SIDE + column, left, top, right, bottom


def _level(store: _Rgb, source: NDArray[np.generic]) -> _Rgb:
    offset, height, width = source.tolist()
    return store[offset : offset + height * width * 3].reshape(height, width, 3)


def _warped(
    level: _Rgb, matrix: NDArray[np.generic], corners: tuple[int, int, int, int], fill: list[int] | None
) -> _Rgb:
    """Return the part of a crop between `corners`; `fill`: RGB outside of the image, whose edge goes on without."""
    left, top, right, bottom = corners
    across = np.array(matrix, np.float64).reshape(2, 3)
    across[:, 2] += across[:, 0] * (left + 0.5) + across[:, 1] * (top + 0.5) - 0.5  # from the first pixel's centre
    border = cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT
    flags, sides = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (right - left, bottom - top)
    warped = cv2.warpAffine(level, across, sides, flags=flags, borderMode=border, borderValue=fill or (0, 0, 0))
    return np.asarray(warped, np.uint8)


def _draw_patch(store: _Rgb, patch: _Arrays, crop: _Rgb) -> None:
    """Draw one patch over a crop, in place."""
    left, top, right, bottom = patch["rect"].tolist()
    if right <= left:
        return
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, len(crop)), min(bottom, len(crop))
    if x1 <= x0 or y1 <= y0:
        return
    gain, offset = patch["tone"].tolist()
    shown = _warped(_level(store, patch["source"]), patch["matrix"], (x0, y0, x1, y1), None) * gain + offset
    across = _opacity(x0, x1, left, right, EDGE_ACROSS)
    alpha = np.minimum(across[None], _opacity(y0, y1, top, bottom, EDGE_DOWN)[:, None])[..., None]
    under = crop[y0:y1, x0:x1]
    under[...] = (under * (1 - alpha) + shown.clip(0, 255) * alpha).round()


def _opacity(begin: int, end: int, low: int, high: int, edge: float) -> NDArray[np.float32]:
    """Return how much of a patch from `low` to `high` shows at the pixels from `begin` to `end`: less at its edges."""
    centres = np.arange(begin, end, dtype=np.float32) + 0.5
    fade = max((high - low) * edge, 1.0)
    shares: NDArray[np.float32] = np.minimum(centres - low, high - centres) / np.float32(fade)
    return shares.clip(0, 1)
