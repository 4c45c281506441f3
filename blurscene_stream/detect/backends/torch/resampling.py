"""Resampling of planes as weights: each pixel of a row or column is a weighted sum of a few samples in a row.

Luma, and chroma with it, is resampled along one axis after the other: both axes have `Taps` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from blurscene_stream.frames import PictureInfo


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """The samples that make the pixels of one axis.

    first:   int64 (N,), the first sample of each pixel
    weights: float32 (T, N), of that sample and those behind it; all of them exist, the sum is 1
    """

    first: Tensor
    weights: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> Taps:
        """Pick what is not 0 from weights (N, samples)."""
        taken = (matrix != 0).byte()
        first = taken.argmax(1)
        count = int((matrix.shape[1] - taken.flip(1).argmax(1) - first).max())
        first = first.clamp(max=matrix.shape[1] - count)
        weights = matrix.gather(1, first[:, None] + torch.arange(count))
        return cls(first, weights.float().t())

    @property
    def count(self) -> int:
        """Count the samples of a pixel."""
        return len(self.weights)

    @property
    def table(self) -> Tensor:
        """Both for the kernel: float32 (1 + T, N); a picture has not so many samples that a float would round them."""
        return torch.cat([self.first.float()[None], self.weights])


def luma_taps(picture: PictureInfo, width: int, height: int) -> tuple[Taps, Taps]:
    """Return how a picture's luma is resized to `width` x `height`: the taps of its rows and of its columns."""
    return Taps.of(_triangles(picture.height, height)), Taps.of(_triangles(picture.width, width))


def chroma_taps(picture: PictureInfo, width: int, height: int) -> tuple[Taps, Taps]:
    """Return how a picture's chroma is resized for `width` x `height` of luma: the taps of its rows and columns."""
    is_resized = (width, height) != (picture.width, picture.height)
    modes = chroma_modes(picture, width, height)
    shifts = picture.pixel_format.shift_y, picture.pixel_format.shift_x
    made = []
    for side, size, shift, mode in zip((picture.height, picture.width), (height, width), shifts, modes, strict=True):
        stored = -(-side >> shift)
        matrix = _triangles(stored, half(size) if is_resized else stored)
        made.append(Taps.of(_upsampled(matrix, size, mode == "bilinear")))
    return made[0], made[1]


def chroma_modes(picture: PictureInfo, width: int, height: int) -> tuple[str, str]:
    """Return how chroma is upsampled to `width` x `height`, rows and columns: "nearest" or "bilinear".

    swscale repeats it, but interpolates where its fast way does not do: between rows, and where the width is odd.
    """
    is_resized = (width, height) != (picture.width, picture.height)
    is_fast = is_resized or (picture.pixel_format.bits == 8 and not picture.pixel_format.interleaved)
    is_slow = not is_fast or height % 2 == 1
    return ("bilinear" if is_slow else "nearest"), ("bilinear" if is_slow and width % 2 == 1 else "nearest")


def half(size: int) -> int:
    """Return how many chroma samples a side of that many pixels has where they are half as many, rounded up."""
    return -(-size // 2)


def _triangles(samples: int, pixels: int) -> Tensor:
    """Weights (pixels, samples) of torch's "bilinear" with antialias: a triangle twice as wide as what a pixel covers.

    Where there are more pixels than samples, it is twice as wide as a sample: plain linear interpolation.
    """
    scale = samples / pixels
    centers = (torch.arange(pixels, dtype=torch.float64) + 0.5) * scale
    distances = torch.arange(samples, dtype=torch.float64) + 0.5 - centers[:, None]
    weights = (1 - distances.abs() / max(scale, 1.0)).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def _upsampled(matrix: Tensor, pixels: int, is_linear: bool) -> Tensor:
    """The weights (pixels, samples) after upsampling (N, samples), as torch's "nearest" and "bilinear" do it."""
    count, places = len(matrix), torch.arange(pixels)
    if not is_linear:
        return matrix[places * count // pixels]
    at = ((places.double() + 0.5) * (count / pixels) - 0.5).clamp(min=0)
    low = at.long()
    share = (at - low)[:, None]
    return matrix[low] * (1 - share) + matrix[(low + 1).clamp(max=count - 1)] * share
