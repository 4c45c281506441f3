"""The planes of frames on a device: they go up as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import numpy as np
import torch
from torch import Tensor

from blurscene_stream.frames import Frame, PictureInfo


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """The planes of some frames of one shape, on a device.

    picture: the shape of each frame
    luma:    (F, H, W), uint8; above 8 bits int16, samples in the low bits
    cb, cr:  (F, h, w), likewise; samples of interleaved chroma are views of one plane
    """

    picture: PictureInfo
    luma: Tensor
    cb: Tensor
    cr: Tensor


def upload(frames: Sequence[Frame], device: torch.device) -> Planes:
    """Copy the planes of frames of one shape to a device, without waiting for it.

    In pinned memory, which torch keeps until the copy is done: while one frame goes up, the next one is copied to it.
    Raises RuntimeError when the device fails.
    """
    first = frames[0]
    shapes = [plane.shape for plane in first.planes]
    dtype = torch.uint8 if first.planes[0].dtype == np.uint8 else torch.int16  # at most 10 bits: as signed as well
    size = len(frames), sum(map(prod, shapes))
    pinned = torch.empty(size, dtype=dtype, pin_memory=device.type == "cuda")
    there = torch.empty(size, dtype=dtype, device=device)
    parts = [part.numpy() for part in _cut(pinned, shapes)]
    for number, frame in enumerate(frames):
        for part, plane in zip(parts, frame.planes, strict=True):
            part[number] = plane
        there[number].copy_(pinned[number], non_blocking=True)
    luma, *chroma = _cut(there, shapes)
    cb, cr = chroma[0].unbind(3) if first.picture.pixel_format.interleaved else chroma
    return Planes(first.picture, luma, cb, cr)


def _cut(samples: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Cut samples (F, N) into views (F, *shape)."""
    ends = list(accumulate(map(prod, shapes)))
    return [
        samples[:, end - prod(shape) : end].view(len(samples), *shape) for shape, end in zip(shapes, ends, strict=True)
    ]
