"""The planes of frames on a device: they go up as they are stored, all of a batch in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from blurscene_stream.frames import Frame, PictureInfo

_ALIGNMENT = 256  # samples from which on a plane may begin


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

    In pinned memory, which torch keeps until the copy is done. Raises RuntimeError when the device fails.
    """
    first = frames[0]
    shapes = [(len(frames), *plane.shape) for plane in first.planes]
    dtype = torch.uint8 if first.planes[0].dtype == np.uint8 else torch.int16  # at most 10 bits: as signed as well
    size = sum(_room(shape) for shape in shapes)
    pinned = torch.empty(size, dtype=dtype, pin_memory=device.type == "cuda")
    for number, stacked in enumerate(_cut(pinned, shapes)):
        for out, frame in zip(stacked.numpy(), frames, strict=True):
            out[...] = frame.planes[number]
    luma, *chroma = _cut(pinned.to(device, non_blocking=True), shapes)
    cb, cr = chroma[0].unbind(3) if first.picture.pixel_format.interleaved else chroma
    return Planes(first.picture, luma, cb, cr)


def _room(shape: Sequence[int]) -> int:
    """Samples that a tensor takes, up to where the next one may begin."""
    return -(-prod(shape) // _ALIGNMENT) * _ALIGNMENT


def _cut(samples: Tensor, shapes: Sequence[tuple[int, ...]]) -> Iterator[Tensor]:
    """Cut a tensor (N,) into tensors of these shapes, one behind the other."""
    start = 0
    for shape in shapes:
        yield samples[start : start + prod(shape)].view(shape)
        start += _room(shape)
