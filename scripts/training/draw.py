"""Drawing of planned crops out of the store, in plain torch.

`draw_triton` on a GPU and `draw_opencv` on a CPU draw the same, much faster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from scripts.training.crops import DRAWN_KEYS, EDGE_ACROSS, EDGE_DOWN, PATCH_KEYS, PATCHES, SIDE
from scripts.training.draw_opencv import draw_by_opencv

log = logging.getLogger(__name__)

Draw = Callable[[Tensor, Mapping[str, Tensor], int], Tensor]
"""Store pixels, plan and size -> crops: float16 (B, 3, size, size), channels last, RGB 0 to 255."""

_MAX_DIFFERENCE = 0.05  # mean, of 255, between the two ways of drawing on a GPU: they round differently


def choose_draw(pixels: Tensor, plan: Mapping[str, Tensor], size: int) -> Draw:
    """Return the fast way; on a GPU with Triton, once it draws `plan` like the slow one, else the slow one."""
    if not pixels.is_cuda:
        return draw_by_opencv
    try:
        from scripts.training.draw_triton import draw_fast  # noqa: PLC0415
    except ImportError:
        return draw
    difference = (draw_fast(pixels, plan, size).float() - draw(pixels, plan, size).float()).abs().mean()
    if float(difference) < _MAX_DIFFERENCE:
        return draw_fast
    log.warning(
        "the Triton kernel draws otherwise than plain torch, by %.2f of 255; training is slow", float(difference)
    )
    return draw


def draw(pixels: Tensor, plan: Mapping[str, Tensor], size: int) -> Tensor:
    """See `Draw`."""
    crops = range(len(plan["flip"]))
    return torch.stack([_draw_one(pixels, {key: plan[key][crop] for key in DRAWN_KEYS}, size) for crop in crops])


def _draw_one(pixels: Tensor, plan: Mapping[str, Tensor], size: int) -> Tensor:
    row, column = torch.meshgrid(*[torch.arange(size, device=pixels.device)] * 2, indexing="ij")
    if plan["flip"]:
        column = size - 1 - column
    cell = SIDE * sum((row >= cut).long() for cut in plan["rows"][1:SIDE])
    cell = cell + sum((column >= cut).long() for cut in plan["columns"][1:SIDE])
    x, y = column + 0.5, row + 0.5
    source, matrix = plan["source"][cell], plan["matrix"][cell]
    at_x, at_y = _mapped(matrix, x, y)
    _, height, width = source.unbind(-1)
    inside = (at_x > -1) & (at_y > -1) & (at_x < width) & (at_y < height)
    drawn = _sample(pixels, source, at_x.where(inside, 0), at_y.where(inside, 0))
    made: Tensor = torch.where(inside[..., None], drawn, plan["fill"][cell])
    for patch in range(PATCHES):
        made = _draw_patch(pixels, {key: plan[f"patch_{key}"][patch] for key in PATCH_KEYS}, made, x, y)
    return made.half().permute(2, 0, 1)


def _draw_patch(pixels: Tensor, patch: Mapping[str, Tensor], under: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Draw one patch over a crop (size, size, 3) whose pixels have their centres at x, y."""
    left, top, right, bottom = patch["rect"].tolist()
    if right <= left:
        return under
    fade_x, fade_y = max((right - left) * EDGE_ACROSS, 1.0), max((bottom - top) * EDGE_DOWN, 1.0)
    across, down = torch.minimum(x - left, right - x) / fade_x, torch.minimum(y - top, bottom - y) / fade_y
    alpha = torch.minimum(across, down).clamp(0, 1)
    at_x, at_y = _mapped(patch["matrix"], x, y)
    source = patch["source"].expand(*x.shape, 3)
    gain, offset = patch["tone"]
    shown = _sample(pixels, source, at_x.where(alpha > 0, 0), at_y.where(alpha > 0, 0)) * gain + offset
    alpha = alpha[..., None]
    made: Tensor = under * (1 - alpha) + shown.clamp(0, 255) * alpha
    return made


def _mapped(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Indices in the level, where a pixel's centre is a whole number, of positions in the crop."""
    xx, xy, x0, yx, yy, y0 = matrix.unbind(-1)
    return xx * x + xy * y + x0 - 0.5, yx * x + yy * y + y0 - 0.5


def _sample(pixels: Tensor, source: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples (..., 3) at x, y of levels (..., 3): offset, height, width."""
    offset, height, width = source.unbind(-1)
    left, top = x.floor(), y.floor()
    share_x, share_y = (x - left)[..., None], (y - top)[..., None]
    channel = torch.arange(3, device=pixels.device)

    def at(row: Tensor, column: Tensor) -> Tensor:
        row = torch.minimum(row.long().clamp(min=0), height - 1)
        column = torch.minimum(column.long().clamp(min=0), width - 1)
        return pixels[(offset + (row * width + column) * 3)[..., None] + channel].float()

    upper: Tensor = at(top, left) * (1 - share_x) + at(top, left + 1) * share_x
    lower = at(top + 1, left) * (1 - share_x) + at(top + 1, left + 1) * share_x
    return upper * (1 - share_y) + lower * share_y
