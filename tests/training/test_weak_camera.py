"""A weak camera: what it does to crops, and which objects are then left out because nobody could learn from them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scripts.training.weak_camera import defocus, dim, luma_deviation, smear, unlearnable

SHARP, STILL = torch.ones(1), torch.ones(1, 2)


@pytest.fixture
def crops() -> Tensor:
    torch.manual_seed(3)
    return torch.rand(64, 3, 64, 64) * 255


@pytest.mark.parametrize("change", [dim, lambda x: defocus(x)[0], lambda x: smear(x)[0]])
def test_some_crops_change_and_some_do_not(crops: Tensor, change: Callable[[Tensor], Tensor]) -> None:
    made = change(crops)
    changed = (made - crops).abs().amax((1, 2, 3)) > 1
    assert changed.any() and not changed.all()
    assert made.shape == crops.shape and made.min() >= 0 and made.max() <= 255


def test_dim_crops_lose_contrast(crops: Tensor) -> None:
    made = dim(crops)
    changed = (made != crops).any(3).any(2).any(1)
    assert (made.std((1, 2, 3)) < 0.6 * crops.std((1, 2, 3)))[changed].all()


def test_the_blur_of_each_crop_is_known(crops: Tensor) -> None:
    made, width = defocus(crops)
    assert torch.equal((made != crops).flatten(1).any(1), width > 1)
    made, length = smear(crops)
    assert torch.equal((made != crops).flatten(1).any(1), (length > 1).any(1))
    across = length[:, 0] > 1
    assert (made.diff(dim=3).abs().mean((1, 2, 3)) < made.diff(dim=2).abs().mean((1, 2, 3)))[across].all()


def noisy_crop_with_a_plate(step: float) -> tuple[Tensor, Tensor]:
    """A grey crop with noise, in whose middle lies a rectangle brighter by `step` levels, and that rectangle's box."""
    torch.manual_seed(0)
    crop = 80 + torch.randn(1, 3, 64, 64)
    crop[..., 28:36, 20:44] += step
    return crop, torch.tensor([[[20.0, 28.0, 44.0, 36.0]]])


@pytest.mark.parametrize(("step", "lost"), [(0.0, True), (1.0, True), (8.0, False)])
def test_what_does_not_stand_out_is_not_learnt(step: float, lost: bool) -> None:
    crop, box = noisy_crop_with_a_plate(step)
    assert unlearnable(crop, box, SHARP, STILL).item() is lost


@pytest.mark.parametrize(
    ("point", "smeared", "lost"),
    [
        (1.0, (1.0, 1.0), False),
        (2.0, (1.0, 1.0), False),
        (4.0, (1.0, 1.0), True),
        (1.0, (15.0, 1.0), False),
        (1.0, (21.0, 1.0), True),
        (1.0, (1.0, 7.0), True),
    ],
)
def test_what_is_small_for_its_blur_is_not_learnt(point: float, smeared: tuple[float, float], lost: bool) -> None:
    crop, box = noisy_crop_with_a_plate(100)
    assert unlearnable(crop, box, torch.tensor([point]), torch.tensor([smeared])).item() is lost


def test_the_deviation_is_that_of_the_cells() -> None:
    crop = torch.zeros(1, 3, 64, 64)
    crop[..., 32:] = 10
    boxes = torch.tensor([[[28.0, 20.0, 36.0, 28.0], [0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 0.0, 0.0]]])
    assert luma_deviation(crop, boxes)[0].tolist() == pytest.approx([5.0, 0.0, 0.0])
