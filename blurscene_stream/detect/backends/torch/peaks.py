"""Local maxima of heat maps, found on the device that holds them: one copy, of cells alone, comes down."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from blurscene_stream.detect.backends.network import VALUES, Cells
from blurscene_stream.detect.model import NOT_FINITE
from blurscene_stream.errors import DetectionError

MAX_CELLS = 4096  # that come down at once, 98 kB; where there are more, they are fetched again


def pack_peaks(maps: Tensor, lowest: Tensor, limit: int = MAX_CELLS) -> Tensor:
    """Find the local maxima whose logit is above `lowest` (C,), as `face_plate.find_cells` does; wait for nothing.

    maps:  (B, C, VALUES, H, W), on any device
    limit: cells that there is room for

    Returns int32 (2 + limit * (1 + VALUES)): the number of maxima; whether all of `maps` is finite; the indices of the
    first ones in (B, C, H, W), in order; their values, float32 bit by bit.
    """
    maps = maps.float()
    logits = maps[:, :, 0]
    around = functional.max_pool2d(logits, 3, 1, 1)  # pads with minus infinity
    found = ((logits > lowest[:, None, None]) & (logits >= around)).flatten()
    number = found.cumsum(0)
    # What is no maximum, or has no room, goes to one more slot behind the others.
    slots = (number - 1).masked_fill(~(found & (number <= limit)), limit)
    every = torch.arange(len(found), device=maps.device)
    indices = torch.zeros(limit + 1, dtype=torch.int64, device=maps.device).scatter_(0, slots, every)[:limit]
    area = logits.shape[2] * logits.shape[3]
    values = maps.flatten(0, 1).flatten(2)[indices // area, :, indices % area]
    head = torch.stack([number[-1].int(), maps.sum().isfinite().int()])
    return torch.cat([head, indices.int(), values.view(torch.int32).flatten()])


def fetch_cells(packed: Tensor, maps: Tensor, lowest: Tensor) -> Cells:
    """Bring down what `pack_peaks` made of `maps`, and wait for it; where there was no room for all, do it again.

    Raises DetectionError when a number in the maps is not finite.
    """
    numbers = packed.cpu().numpy()
    count, finite = numbers[:2]
    if not finite:
        raise DetectionError(NOT_FINITE)
    limit = (len(numbers) - 2) // (1 + VALUES)
    if count > limit:
        return fetch_cells(pack_peaks(maps, lowest, int(count)), maps, lowest)
    indices: NDArray[np.int64] = numbers[2 : 2 + count].astype(np.int64)
    values = numbers[2 + limit :].view(np.float32).reshape(limit, VALUES)[:count]
    batch, classes, _, height, width = maps.shape
    image, class_id, row, column = np.unravel_index(indices, (batch, classes, height, width))
    return Cells(image, class_id, row, column, values)
