"""Painted masks, tile by tile, are the pixels of a formula that paints whole crops, one face after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scripts.training import face_masks
from scripts.training.face_masks import COLOURS, NUMBERS, cover_faces, paint_masks

BOXES = {
    "inside": (30, 20, 70, 75),
    "tiny": (40.3, 40.8, 43.9, 44.6),
    "at the left and upper border": (-20, -30, 25, 20),
    "at the right and lower border": (80, 60, 140, 120),
    "larger than the crop": (-60, -120, 190, 130),
    "outside": (300, 300, 340, 350),
    "without an area": (50, 50, 50, 50),
}


def uniform(count: int, seed: int = 0) -> Tensor:
    return torch.rand(NUMBERS, count, generator=torch.Generator().manual_seed(seed))


def paint_whole_crop(crop: Tensor, box: Tensor, uniform: Tensor) -> Tensor:
    """Calculate one mask for each pixel of a crop (3, H, W); `uniform`: (NUMBERS,)."""
    kind, top, bottom, aside, half, usual, which, *rest = uniform
    red_green_blue, (dark, ripple, phase, sides, lower) = torch.stack(rest[:3]), rest[3:]
    y, x = torch.arange(crop.shape[1])[:, None], torch.arange(crop.shape[2])[None]
    x0, y0, x1, y1 = box
    if kind < 0.75:
        top, bottom = 0.40 + 0.18 * top, 0.88 + 0.15 * bottom
    elif kind < 0.88:
        top, bottom = 0.55 + 0.15 * top, 1.05 + 0.25 * bottom
    else:
        top, bottom = 0.18 + 0.1 * top, 0.18 + 0.1 * top + 0.14 + 0.12 * bottom
    across = (x - (x0 + x1) / 2 + (x1 - x0) * (aside * 0.16 - 0.08)) / ((x1 - x0) * (half * 0.12 + 0.44))
    down = (y - y0) / (y1 - y0)
    rounded = (((down - (top + bottom) / 2) / ((bottom - top) / 2)).abs() ** 4 + across.abs() ** 4) < 1
    inside = rounded if kind < 0.75 else (across.abs() < 1) & (down > top) & (down < bottom)
    cloth = torch.tensor(COLOURS)[int(which * len(COLOURS))] if usual < 0.8 else red_green_blue * 255
    base = cloth if kind < 0.88 else (dark * 60).expand(3)
    folds = 1 + 0.08 * torch.sin(down * (ripple * 32 + 8) + phase * 6) - 0.18 * across.abs().clamp(max=1) * sides
    folds = folds - 0.15 * (down - top).clamp(0, 1) * lower
    return torch.where(inside, (base[:, None, None] * folds).to(crop.dtype), crop)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_each_mask_is_that_of_the_whole_crop(box: tuple[float, ...], dtype: torch.dtype) -> None:
    count = 40  # of all three kinds
    crops, boxes = torch.full((count, 3, 90, 110), -9, dtype=dtype), torch.tensor([box]).float().expand(count, 4)
    numbers = uniform(count)
    made = paint_masks(crops, torch.arange(count), torch.zeros(count, dtype=torch.long), boxes, numbers)
    expected = torch.stack([paint_whole_crop(*each) for each in zip(crops, boxes, numbers.T, strict=True)])
    torch.testing.assert_close(made, expected, rtol=0, atol=0.01 if dtype == torch.float32 else 0.3)
    assert (made != crops).any() == (box[0] < 110 and box[2] > box[0])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(64, 96), (9, 40)], ids=["crop", "crop smaller than a tile"])
def test_later_masks_lie_over_earlier_ones(size: tuple[int, int], layout: torch.memory_format) -> None:
    crops = torch.full((4, 3, *size), -9.0).contiguous(memory_format=layout)
    crop, number = torch.tensor([0, 1, 2, 3, 0, 2, 3, 3]), torch.tensor([0, 0, 0, 0, 1, 1, 1, 3])
    corner = torch.rand(8, 2, generator=torch.Generator().manual_seed(1)) * 30 - 8
    boxes, numbers = torch.cat((corner, corner + 40), 1), uniform(8, seed=2)
    expected = list(crops)
    for each, box, its_numbers in zip(crop.tolist(), boxes, numbers.T, strict=True):
        expected[each] = paint_whole_crop(expected[each], box, its_numbers)
    made = paint_masks(crops, crop, number, boxes, numbers)
    torch.testing.assert_close(made, torch.stack(expected), rtol=0, atol=0.01)
    assert (crops == -9).all(), "the crops given stay as they were"


def test_up_to_eight_faces_of_a_crop_wear_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_masks, "_MASKED", 1.0)
    boxes = torch.tensor([[40.0 * place, 10.0, 40.0 * place + 30, 50.0] for place in range(10)])[None]
    kind = torch.zeros(1, 10, dtype=torch.uint8)
    for faces, masks in ((10, 8), (3, 3)):
        made = cover_faces(torch.full((1, 3, 64, 400), -9.0), boxes[:, :faces], kind[:, :faces])
        assert sum(bool((made[..., 40 * place : 40 * place + 32] > -9).any()) for place in range(10)) == masks
