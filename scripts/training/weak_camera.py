"""Augmentation as a weak camera sees: dim, low in contrast, out of focus, smeared; and what nobody could learn from it.

All functions take and give crops (B, 3, H, W), RGB 0 to 255. What the network of the second piece of training missed on
real clips was mostly this: plates against the light at dusk, faces in a dark hall (docs/accuracy.md).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from scripts.training.box_sums import box_sums
from scripts.training.transfer import sent

_DIM, _DEFOCUSED, _SMEARED = 0.12, 0.10, 0.08  # probabilities
_KEPT_RANGE = (0.06, 0.5)  # share of the range that is left of a dim crop
_DARKEST = 130.0  # a dim crop begins somewhere below this level
_NOISE = 2.5  # standard deviation
_FACTORS = (0.45, 0.35, 0.25)  # of a crop out of focus, which is scaled down and up
_SMEAR_PX = (5, 21)
_MIN_POINTS, _MIN_SMEARS = 3.0, 1.3  # size of an object that can be learnt, in points of its blur and in smears
_MIN_DEVIATION = 1.3  # levels by which luma varies in and around it
_CELL, _AROUND = 4, 2  # pixels of a cell in which that is measured; cells around the object


def dim(crops: Tensor) -> Tensor:
    """Squeeze some crops into a small part of the range, mostly a dark one, add noise, and round to the levels left."""
    chosen = choose(crops, _DIM)
    if not len(chosen):
        return crops
    low, high = (math.log(share) for share in _KEPT_RANGE)
    share = torch.exp(_uniform(chosen) * (high - low) + low)
    squeezed = crops[chosen].float() * share + _uniform(chosen) * (1 - share) * _DARKEST
    squeezed += torch.randn_like(squeezed) * _uniform(chosen) * _NOISE
    return crops.index_copy(0, chosen, squeezed.clamp(0, 255).round().to(crops.dtype))


def defocus(crops: Tensor) -> tuple[Tensor, Tensor]:
    """Put some crops out of focus; return the crops, and how many pixels wide a point of each is then (B,)."""
    width = torch.ones(len(crops), device=crops.device)
    for factor in _FACTORS:
        chosen = choose(crops, _DEFOCUSED / len(_FACTORS))
        if not len(chosen):
            continue
        small = functional.interpolate(crops[chosen].float(), scale_factor=factor, mode="bilinear", antialias=True)
        large = functional.interpolate(small, size=crops.shape[2:], mode="bicubic").clamp(0, 255)
        crops = crops.index_copy(0, chosen, large.to(crops.dtype))
        width[chosen] = 1 / factor
    return crops, width


def smear(crops: Tensor) -> tuple[Tensor, Tensor]:
    """Move the camera while some crops are exposed; return the crops, and by how many pixels across and down (B, 2).

    Two of three are smeared across, as what passes a car or a camera on a pole is.
    """
    length = torch.ones(len(crops), 2, device=crops.device)
    for axis in (0, 0, 1):
        chosen = choose(crops, _SMEARED / 3)
        if not len(chosen):
            continue
        pixels = 2 * int(torch.randint(_SMEAR_PX[0] // 2, _SMEAR_PX[1] // 2 + 1, ()).item()) + 1
        kernel = (1, pixels) if axis == 0 else (pixels, 1)
        padding = (kernel[0] // 2, kernel[1] // 2)
        moved = functional.avg_pool2d(crops[chosen].float(), kernel, 1, padding, count_include_pad=False)
        crops = crops.index_copy(0, chosen, moved.to(crops.dtype))
        length[chosen, axis] = pixels
    return crops, length


def unlearnable(crops: Tensor, boxes: Tensor, point: Tensor, smeared: Tensor) -> Tensor:
    """Return which objects, bool (B, N), are too little to learn from: too small for their blur, or without contrast.

    boxes:   float32 (B, N, 4) in pixels of the crops, which are as they are trained with
    point:   (B,), as `defocus` gives it; smeared: (B, 2), as `smear` does
    """
    size = boxes[..., 2:] - boxes[..., :2]
    blurred = (point[:, None] > 1) & (size.amin(2) < _MIN_POINTS * point[:, None])
    moved = ((smeared[:, None] > 1) & (size < _MIN_SMEARS * smeared[:, None])).any(2)
    return blurred | moved | (luma_deviation(crops, boxes) < _MIN_DEVIATION)


def luma_deviation(crops: Tensor, boxes: Tensor) -> Tensor:
    """Return the deviation of luma (B, N) in and around each box (B, N, 4), by cells, in which noise averages out."""
    luma = functional.avg_pool2d(crops.float().mean(1, keepdim=True), _CELL)[:, 0]
    luma = (luma - luma.mean((1, 2), keepdim=True)).double()  # or the squares would be too large for exact sums
    height, width = luma.shape[1:]
    low = (boxes[..., :2] / _CELL).floor().long() - _AROUND
    high = (boxes[..., 2:] / _CELL).ceil().long() + _AROUND
    x0, y0 = low[..., 0].clamp(0, width - 1), low[..., 1].clamp(0, height - 1)
    x1, y1 = high[..., 0].clamp(1, width), high[..., 1].clamp(1, height)
    cells = ((x1 - x0) * (y1 - y0)).clamp(min=1)

    mean, mean_of_squares = (box_sums(values, x0, y0, x1, y1) / cells for values in (luma, luma * luma))
    return (mean_of_squares - mean**2).clamp(min=0).sqrt()


def choose(crops: Tensor, probability: float) -> Tensor:
    """Return the indices, int64 (N,), of some of the crops; how many is known without waiting for the device."""
    return sent((torch.rand(len(crops)) < probability).nonzero()[:, 0], crops.device)


def _uniform(chosen: Tensor) -> Tensor:
    return torch.rand(len(chosen), 1, 1, 1, device=chosen.device)
