"""Reads boxes out of the network's output."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from blurscene_stream.boxes import Boxes
from blurscene_stream.detect.network import STRIDE
from blurscene_stream.errors import DetectionError

_LOG_SIZE_LEAST, _LOG_SIZE_MOST = -3.0, 6.5  # as the network was trained: 0.2 to 2,660 network pixels


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Every place of a batch that looks like an object, before overlapping boxes are merged.

    pictures: int64 (N,), index into the batch
    labels:   int64 (N,), index into the classes
    scores:   float32 (N,), in [0, 1]
    boxes:    float32 (N, 4), x0 y0 x1 y1 in network pixels, in stored ones once they are mapped back
    """

    pictures: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    boxes: Boxes


def joined(parts: Sequence[Peaks]) -> Peaks:
    """The peaks of all parts."""
    each = [(part.pictures, part.labels, part.scores, part.boxes) for part in parts]
    return Peaks(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))


def find_peaks(maps: Tensor, thresholds: Sequence[float]) -> Peaks:
    """The local maxima whose score is above their class's threshold; all of them, however large the crowd.

    maps: (B, C, VALUES, H, W), what the network gives; on any device, the results come down as one array

    Raises DetectionError when any number in `maps` is not finite.
    """
    logits = maps[:, :, 0].float()
    # A sum is finite only if every term is: the whole output is checked in one pass, without a map of booleans.
    if not bool(maps.sum(dtype=torch.float32).isfinite()):
        raise DetectionError("the network gave numbers that are not finite; try --set detect.precision=fp32")
    scores = logits.sigmoid()
    least = torch.tensor(thresholds, dtype=torch.float32, device=maps.device)[:, None, None]
    # Maxima are sought in the logits: large ones differ when their scores are equal.
    is_peak = (functional.max_pool2d(logits, 3, 1, 1) == logits) & (scores > least)
    picture, label, row, column = is_peak.nonzero(as_tuple=True)
    boxes = to_boxes(maps[picture, label, 1:, row, column].float(), row, column)
    found = torch.stack([picture.float(), label.float(), scores[picture, label, row, column], *boxes.unbind(1)], 1)
    return _as_peaks(found.cpu().numpy())


def to_boxes(values: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Corners (N, 4) in network pixels, of log height, log width, offset down and right (N, 4) at cells (N,)."""
    height, width = (values[:, :2].clamp(_LOG_SIZE_LEAST, _LOG_SIZE_MOST).exp() * (STRIDE / 2)).unbind(1)
    down, across = values[:, 2:].unbind(1)
    middle_y, middle_x = (row + 0.5 + down) * STRIDE, (column + 0.5 + across) * STRIDE
    return torch.stack([middle_x - width, middle_y - height, middle_x + width, middle_y + height], 1)


def _as_peaks(found: NDArray[np.float32]) -> Peaks:
    if not np.isfinite(found).all():
        raise DetectionError("the network gave a box that is not finite; try --set detect.precision=fp32")
    return Peaks(found[:, 0].astype(np.int64), found[:, 1].astype(np.int64), found[:, 2], found[:, 3:])
