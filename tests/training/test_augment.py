"""Augmentation: crops keep their shape and range, what hides objects is known, and each kind does change something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scripts.training.augment import augment, blur, coarsen, compress, hidden_share, occlude, without_hidden
from scripts.training.face_masks import cover_faces


@pytest.fixture
def crops() -> Tensor:
    torch.manual_seed(3)
    return torch.rand(16, 3, 64, 64) * 255


def faces(count: int) -> tuple[Tensor, Tensor]:
    return torch.tensor([10.0, 10.0, 50.0, 58.0]).expand(count, 1, 4), torch.zeros(count, 1, dtype=torch.uint8)


@pytest.mark.parametrize(
    "change", [blur, coarsen, compress, lambda x: occlude(x)[0], lambda x: cover_faces(x, *faces(len(x)))]
)
def test_some_crops_change_and_some_do_not(crops: Tensor, change: Callable[[Tensor], Tensor]) -> None:
    changed = (change(crops) - crops).abs().amax((1, 2, 3)) > 1
    assert changed.any() and not changed.all()


def test_crops_keep_their_shape_and_range(crops: Tensor) -> None:
    made, hidden = augment(crops, faces(len(crops))[0])
    assert made.shape == crops.shape
    assert made.min() >= 0 and made.max() <= 255
    assert hidden.shape == (16, 1) and hidden.dtype == torch.bool


def test_masks_stay_near_the_face(crops: Tensor) -> None:
    boxes, kind = faces(len(crops))
    made = cover_faces(crops, boxes, kind)
    assert torch.equal(made[..., :8], crops[..., :8]) and torch.equal(made[..., :15, :], crops[..., :15, :])
    assert torch.equal(cover_faces(crops, boxes, kind + 1), crops), "only faces wear masks"


def test_the_hidden_share_of_a_box() -> None:
    front = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    front[..., :10, :] = True
    boxes = torch.tensor(
        [[[0.0, 0.0, 10.0, 10.0], [0.0, 5.0, 10.0, 15.0], [5.0, 12.0, 9.0, 16.0], [0.0, 0.0, 0.0, 0.0]]]
    )
    assert hidden_share(front, boxes).tolist() == [[1.0, 0.5, 0.0, 0.0]]


def test_cells_of_hidden_boxes_are_not_learnt() -> None:
    plan = {"cells": torch.tensor([0, 1]), "owner": torch.tensor([0, 1]), "share": torch.ones(2)}
    plan["weight"] = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    made = without_hidden(plan, torch.tensor([[True, False]]))
    assert made["weight"].flatten().tolist() == [0, 1, 1, 1]
    assert made["share"].tolist() == [0, 1]
    assert plan["weight"].all(), "the plan given stays as it was"
