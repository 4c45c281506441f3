"""Small tensors that are made in main memory and used on the device, without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return `tensor` on `device`: a copy out of pinned memory is queued behind the work that is there already."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
