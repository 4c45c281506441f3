"""Losses: focal loss of the heat maps, quality focal loss where only a teacher's score is known, GIoU of the boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from blurscene_stream.detect.face_plate import decode_boxes

BOX_WEIGHT = 2.0
_FACE = 0  # class id
_MIN_SCORE = 1e-4  # scores are clipped to what has a finite logarithm in 16 bits
_PEAK = 0.999  # heat from which on a cell is the centre of an object
_DOUBT, _NEAR = 0.02, 0.05  # a teacher's score counts from the first on, where heat is below the second


@dataclass(frozen=True)
class Loss:
    """The loss of a batch, and its parts: of the heat maps by class (C,), of the boxes."""

    total: Tensor
    heat: Tensor
    boxes: Tensor


def detection_loss(maps: Tensor, targets: dict[str, Tensor], boxes: Tensor, face_weight: float = 1.0) -> Loss:
    """Return the loss of the network's output (B, C, 5, G, G).

    targets: as in a plan: heat, soft, weight, each (B, C, G, G); cells, owner, share
    boxes:   float32 (B, N, 4), corners in pixels of the crop, to which `owner` points
    face_weight: of faces' heat map; that of plates' is 1
    """
    sums, centres = heat_loss(maps[:, :, 0], targets["heat"], targets["soft"], targets["weight"])
    heat = sums / centres.clamp(min=1)
    of_boxes = box_loss(maps[:, :, 1:], boxes, targets)
    return Loss(heat.sum() + (face_weight - 1) * heat[_FACE] + BOX_WEIGHT * of_boxes, heat.detach(), of_boxes.detach())


def heat_loss(logits: Tensor, heat: Tensor, soft: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each class (C,), summed over all cells, and the number of objects (C,).

    Focal loss with CenterNet's reduced weight near a centre (Zhou et al., 2019); where a teacher was unsure, quality
    focal loss with its score as target (Li et al., Generalized Focal Loss, 2020).
    """
    heat, soft, weight = heat.float(), soft.float(), weight.float()
    score = logits.float().sigmoid().clamp(_MIN_SCORE, 1 - _MIN_SCORE)
    centre = (heat > _PEAK).float()
    far = (1 - heat).pow(4) * score.pow(2) * (1 - score).log()
    hard = -(centre * (1 - score).pow(2) * score.log() + (1 - centre) * far)
    unsure = -(score - soft).pow(2) * (soft * score.log() + (1 - soft) * (1 - score).log())
    loss = torch.where((soft > _DOUBT) & (heat < _NEAR), unsure, hard) * weight
    return loss.sum((0, 2, 3)), (centre * weight).sum((0, 2, 3))


def box_loss(geometry: Tensor, boxes: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Return the mean of 1 - GIoU over the cells that learn a box, weighted by `share`; 0 where there is none.

    geometry: (B, C, 4, G, G), as the network gives it; boxes (B, N, 4); cells, owner, share (K,) as in a plan
    """
    cells, (_, classes, _, height, width) = targets["cells"], geometry.shape
    row, column = cells // width % height, cells % width  # torch.unravel_index waits for the device
    image, class_id = cells // (height * width) // classes, cells // (height * width) % classes
    values = geometry.permute(0, 1, 3, 4, 2)[image, class_id, row, column].float()
    truth = boxes.flatten(0, 1)[targets["owner"]]
    loss = 1 - giou(decode_boxes(values, row, column, torch), truth)
    return (loss * targets["share"]).sum() / targets["share"].sum().clamp(min=1e-6)


def giou(boxes: Tensor, truth: Tensor) -> Tensor:
    """Return the generalized IoU (Rezatofighi et al., 2019) of boxes (N, 4) and others (N, 4), pair by pair: (N,)."""
    union_low, union_high = torch.minimum(boxes[:, :2], truth[:, :2]), torch.maximum(boxes[:, 2:], truth[:, 2:])
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    shared, around = _area(low, high), _area(union_low, union_high).clamp(min=1e-6)
    union = _area(boxes[:, :2], boxes[:, 2:]) + _area(truth[:, :2], truth[:, 2:]) - shared
    return shared / union.clamp(min=1e-6) - (around - union) / around


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0).prod(1)
