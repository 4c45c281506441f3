"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from scripts.training.losses import box_loss, detection_loss, giou, heat_loss


def maps(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize(
    ("heat", "soft", "weight", "expected"),
    [
        (1.0, 0.0, 1, -(0.5**2) * math.log(0.5)),  # a centre: (1 - p)^2 log p
        (0.0, 0.0, 1, -(0.5**2) * math.log(0.5)),  # nothing: p^2 log(1 - p)
        (0.5, 0.0, 1, -(0.5**4) * (0.5**2) * math.log(0.5)),  # near a centre: (1 - heat)^4 of that
        (0.0, 0.3, 1, -(0.2**2) * math.log(0.5)),  # doubt: (p - s)^2 times the cross entropy
        (0.0, 0.5, 1, 0.0),  # as sure as the teacher
        (0.5, 0.3, 1, -(0.5**4) * (0.5**2) * math.log(0.5)),  # an object is more than a doubt
        (1.0, 0.0, 0, 0.0),
    ],
)
def test_heat_loss_at_a_score_of_one_half(heat: float, soft: float, weight: int, expected: float) -> None:
    loss, centres = heat_loss(maps(0.0), maps(heat), maps(soft), maps(weight))
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert centres.item() == (weight if heat == 1 else 0)


def test_giou() -> None:
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    half, apart = torch.tensor([[0.0, 0.0, 10.0, 5.0]]), torch.tensor([[20.0, 0.0, 30.0, 10.0]])
    assert giou(box, box).item() == pytest.approx(1)
    assert giou(box, half).item() == pytest.approx(0.5)
    assert giou(box, apart).item() == pytest.approx(-1 / 3)  # no overlap, and a third of the box around both is empty


def test_box_loss_is_0_where_the_box_is_right_and_where_there_is_none() -> None:
    geometry = torch.zeros(1, 1, 4, 4, 4)
    geometry[..., 2, 1] = torch.tensor([math.log(2), math.log(3), 0.25, -0.5])  # 8 x 12 pixels, centre at (4, 11)
    boxes = torch.tensor([[[-2.0, 7.0, 10.0, 15.0]]])
    nothing = {"cells": torch.zeros(0, dtype=torch.long), "owner": torch.zeros(0, dtype=torch.long)}
    assert box_loss(geometry, boxes, nothing | {"share": torch.zeros(0)}).item() == 0
    one = {"cells": torch.tensor([2 * 4 + 1]), "owner": torch.tensor([0]), "share": torch.ones(1)}
    assert box_loss(geometry, boxes, one).item() == pytest.approx(0, abs=1e-5)
    assert box_loss(geometry, boxes + 4, one).item() > 0.5
    assert box_loss(geometry, boxes + 4, one | {"share": torch.zeros(1)}).item() == 0, "it is hidden"


def test_faces_can_count_more() -> None:
    torch.manual_seed(0)
    output, boxes = torch.randn(1, 2, 5, 4, 4), torch.zeros(1, 1, 4)
    targets = {"heat": torch.zeros(1, 2, 4, 4), "soft": torch.zeros(1, 2, 4, 4), "weight": torch.ones(1, 2, 4, 4)}
    targets |= {"cells": torch.tensor([3]), "owner": torch.tensor([0]), "share": torch.ones(1)}
    usual, more = (detection_loss(output, targets, boxes, weight) for weight in (1.0, 1.3))
    assert more.total.item() == pytest.approx(usual.total.item() + 0.3 * usual.heat[0].item(), rel=1e-5)
    assert torch.equal(more.heat, usual.heat), "what is reported can be compared"
