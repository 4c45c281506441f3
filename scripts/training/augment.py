"""Augmentation of drawn crops on their device, each its own: occlusion, blur, compression, light.

All functions take and give crops (B, 3, H, W), RGB 0 to 255.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from scripts.training.box_sums import box_sums
from scripts.training.weak_camera import choose, defocus, dim, smear, unlearnable

MIN_HIDDEN = 0.5
"""Share of an object behind others from which on it is not learnt."""

_BLURRED, _COARSE, _COMPRESSED, _OCCLUDED = 0.22, 0.16, 0.3, 0.3  # probabilities
_BARS = 3
_KERNEL = 9  # pixels of the blur's side
_LUMA_TABLE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantization of luma at quality 50 (ITU-T T.81, table K.1)."""

_REC601_LUMA = (0.299, 0.587, 0.114)


def augment(crops: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return augmented crops, and which boxes, bool (B, N), are not to be learnt: hidden, or unrecognizable now.

    boxes: float32 (B, N, 4) in pixels, as in a plan

    Nothing here waits for the device: what the shape of a tensor follows from is drawn in main memory.
    """
    crops, front = occlude(crops)
    crops, point = defocus(crops)
    crops, smeared = smear(crops)
    crops = compress(blur(coarsen(dim(crops))))
    crops = change_light(crops, torch.randn_like(crops), *random_light(crops))
    gone = (hidden_share(front, boxes) >= MIN_HIDDEN) | unlearnable(crops, boxes, point, smeared)
    return crops.contiguous(memory_format=torch.channels_last), gone


def without_hidden(plan: dict[str, Tensor], hidden: Tensor) -> dict[str, Tensor]:
    """Return the plan's targets such that cells of `hidden` boxes, bool (B, N), are not learnt."""
    kept = ~hidden.flatten()[plan["owner"]]
    weight = plan["weight"].flatten()
    weight = weight.index_copy(0, plan["cells"], weight[plan["cells"]] * kept)
    return {**plan, "weight": weight.view_as(plan["weight"]), "share": plan["share"] * kept}


class Light(NamedTuple):
    """Numbers for each crop (B, 1, 1, 1), of a colour cast (B, 3, 1, 1); `noise` is the deviation of sensor noise."""

    gamma: Tensor
    gain: Tensor
    offset: Tensor
    cast: Tensor
    saturation: Tensor
    noise: Tensor


def random_light(crops: Tensor) -> Light:
    """Choose brightness, contrast, colour and noise; a fifth of the crops keep their brightness, most their colours."""
    with_gamma, with_gain = _some(crops, 0.2), _some(crops, 0.8)
    gamma = (with_gamma * _uniform(crops, math.log(0.5), math.log(2.2))).exp()
    gain, offset = 1 + with_gain * _uniform(crops, -0.5, 0.5), with_gain * _uniform(crops, -35, 35)
    tinted, tint = _some(crops, 0.3), torch.rand(len(crops), 3, 1, 1, device=crops.device)
    cast = 1 + tinted * (tint.to(crops.dtype) - 0.5) * 0.4
    saturation = 1 + _some(crops, 0.25) * _uniform(crops, -0.6, 0.5) - _some(crops, 0.12)
    return Light(gamma, gain, offset, cast, saturation.clamp(min=0), _some(crops, 0.25) * _uniform(crops, 1, 14))


def change_light(crops: Tensor, noise: Tensor, *numbers: Tensor) -> Tensor:
    """Apply `Light`'s numbers; `noise`: of the crops' shape, normally distributed."""
    light = Light(*numbers)
    crops = 255 * (crops.clamp(0, 255) / 255 + 1e-3) ** light.gamma
    crops = (crops * light.gain + light.offset) * light.cast
    grey = crops.mean(1, keepdim=True)
    crops = grey + (crops - grey) * light.saturation
    return (crops + light.noise * noise).clamp(0, 255).round()


def blur(crops: Tensor) -> Tensor:
    """Blur some crops by a Gaussian longer in one direction: defocus and motion."""
    chosen = choose(crops, _BLURRED)
    if not len(chosen):
        return crops
    reach, count = _KERNEL // 2, len(chosen)
    side = torch.arange(_KERNEL, device=crops.device, dtype=torch.float32) - reach
    y, x = side[:, None].expand(_KERNEL, _KERNEL), side[None, :].expand(_KERNEL, _KERNEL)
    angle, length, width = (torch.rand(count, 1, 1, device=crops.device) for _ in range(3))
    angle, length, width = angle * math.pi, length * 2.6 + 0.4, width * 0.9 + 0.3
    along, across = x * angle.cos() + y * angle.sin(), -x * angle.sin() + y * angle.cos()
    kernel = torch.exp(-0.5 * (along / length) ** 2 - 0.5 * (across / width) ** 2)
    kernel = (kernel / kernel.sum((1, 2), keepdim=True))[:, None].repeat_interleave(3, 0).to(crops.dtype)
    padded = functional.pad(crops[chosen].contiguous(), [reach] * 4, mode="reflect").flatten(0, 1)[None]
    blurred = functional.conv2d(padded, kernel, groups=count * 3)
    return crops.index_copy(0, chosen, blurred.reshape(count, 3, *crops.shape[2:]))


def coarsen(crops: Tensor) -> Tensor:
    """Scale some crops down to 3/4 or 1/2 and up again."""
    size = crops.shape[2:]
    for factor in (0.75, 0.5):
        chosen = choose(crops, _COARSE / 2)
        if len(chosen):
            small = functional.interpolate(crops[chosen].float(), scale_factor=factor, mode="bilinear", antialias=True)
            large = functional.interpolate(small, size=size, mode="bilinear").to(crops.dtype)
            crops = crops.index_copy(0, chosen, large)
    return crops


def compress(crops: Tensor) -> Tensor:
    """Quantize some crops as JPEG does luma, at qualities of about 10 to 70, with chroma at half the resolution."""
    height, width = crops.shape[2:]
    chosen = choose(crops, _COMPRESSED)
    if not len(chosen):
        return crops
    order = torch.arange(8, device=crops.device, dtype=torch.float32)
    cosine = torch.cos((2 * order[None] + 1) * order[:, None] * math.pi / 16) * math.sqrt(2 / 8)  # DCT-II
    cosine[0] /= math.sqrt(2)
    rgb = crops[chosen].float()
    luma = (rgb * _constant(_REC601_LUMA, crops.device)[:, None, None]).sum(1, keepdim=True)
    chroma = functional.interpolate(functional.avg_pool2d(rgb - luma, 2), scale_factor=2.0)
    strength = torch.exp(torch.rand(len(chosen), 1, 1, 1, 1, device=crops.device) * math.log(6.0)) * 0.7
    steps = strength * _constant(_LUMA_TABLE, crops.device).view(8, 8)
    blocks = (luma - 128).view(len(chosen), height // 8, 8, width // 8, 8).transpose(2, 3)
    blocks = cosine.T @ ((cosine @ blocks @ cosine.T / steps).round() * steps) @ cosine
    luma = blocks.transpose(2, 3).reshape(len(chosen), 1, height, width) + 128
    return crops.index_copy(0, chosen, (luma + chroma).clamp(0, 255).to(crops.dtype))


def occlude(crops: Tensor) -> tuple[Tensor, Tensor]:
    """Put bars in front, flat or out of another crop; return the crops and where bars are: bool (B, 1, H, W)."""
    count, _, height, width = crops.shape
    shape = (count, 1, 1, 1)
    y, x = (torch.arange(side, device=crops.device).float() for side in (height, width))
    front = torch.zeros(count, height, width, device=crops.device, dtype=torch.bool)
    for _ in range(_BARS):
        long = torch.exp(_uniform(crops, math.log(20), math.log(0.7 * height), torch.float32))
        short = torch.exp(_uniform(crops, math.log(4), math.log(60), torch.float32))
        lies = torch.rand(shape, device=crops.device) < 0.5
        across, down = torch.where(lies, long, short)[:, 0], torch.where(lies, short, long)[:, 0]
        middle_x, middle_y = (torch.rand(count, 1, 1, device=crops.device) for _ in range(2))
        used = torch.rand(shape, device=crops.device)[:, 0] < _OCCLUDED
        inside_x = (x[None, None, :] - middle_x * width).abs() < across / 2
        front |= inside_x & ((y[None, :, None] - middle_y * height).abs() < down / 2) & used
    flat = (torch.rand(count, 3, 1, 1, device=crops.device).to(crops.dtype) * 255).expand_as(crops)
    fill = torch.where(torch.rand(shape, device=crops.device) < 0.6, flat, crops.roll(1, 0).flip(-1))
    return torch.where(front[:, None], fill, crops), front[:, None]


def hidden_share(front: Tensor, boxes: Tensor) -> Tensor:
    """Return the share of each box (B, N, 4) under `front`, bool (B, 1, H, W): (B, N)."""
    _, _, height, width = front.shape
    x0, y0, x1, y1 = boxes.round().long().unbind(2)
    x0, x1, y0, y1 = x0.clamp(0, width), x1.clamp(0, width), y0.clamp(0, height), y1.clamp(0, height)
    return box_sums(front[:, 0].float(), x0, y0, x1, y1) / ((x1 - x0) * (y1 - y0)).clamp(min=1)


@cache  # a copy from main memory waits for the device
def _constant(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(numbers, device=device, dtype=torch.float32)


def _uniform(crops: Tensor, low: float, high: float, dtype: torch.dtype | None = None) -> Tensor:
    numbers = torch.rand(len(crops), 1, 1, 1, device=crops.device).mul_(high - low).add_(low)
    return numbers.to(dtype or crops.dtype)


def _some(crops: Tensor, probability: float) -> Tensor:
    return (torch.rand(len(crops), 1, 1, 1, device=crops.device) < probability).to(crops.dtype)
