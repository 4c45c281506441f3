"""The weights with which planes are resampled: those of torch's own resizing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from blurscene_stream.detect.backends.torch.resampling import Taps, chroma_taps, luma_taps
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo


def applied(taps: Taps, samples: int) -> Tensor:
    """The matrix (N, samples) that taps stand for."""
    made = torch.zeros(len(taps.first), samples)
    for number, weights in enumerate(taps.weights):
        made[torch.arange(len(made)), taps.first + number] += weights
    return made


def along(matrix: Tensor, size: int, mode: str) -> Tensor:
    """A matrix (N, samples) as torch resizes what it makes to `size`; "area": with antialias."""
    given = {"mode": "bilinear", "antialias": True} if mode == "area" else {"mode": mode}
    return functional.interpolate(matrix[None, None], (size, matrix.shape[1]), **given)[0, 0]


SIZES = [(1920, 1280, 3), (1080, 720, 3), (101, 33, 7), (64, 64, 1), (17, 50, 2), (7, 3, 5), (1, 4, 1), (5, 1, 5)]


@pytest.mark.parametrize(("samples", "pixels", "count"), SIZES)
def test_luma_is_resized_as_torch_does_it(samples: int, pixels: int, count: int) -> None:
    picture = PictureInfo(samples, 2 * samples, PIXEL_FORMATS["yuv420p"])
    for taps, side, size in zip(
        luma_taps(picture, pixels, 2 * pixels), (2 * samples, samples), (2 * pixels, pixels), strict=True
    ):
        assert torch.allclose(applied(taps, side), along(torch.eye(side), size, "area"), atol=1e-5)
    assert taps.count == count


@pytest.mark.parametrize(
    ("name", "size", "pixels", "rows", "columns"),
    [
        ("yuv420p", (40, 30), (40, 30), ["nearest"], ["nearest"]),
        ("yuv420p", (39, 29), (39, 29), ["bilinear"], ["bilinear"]),
        ("nv12", (40, 30), (40, 30), ["bilinear"], ["nearest"]),
        ("yuv422p10le", (39, 30), (39, 30), ["bilinear"], ["bilinear"]),
        ("nv12", (40, 30), (26, 20), ["area", "nearest"], ["area", "nearest"]),
        ("yuv422p", (40, 30), (27, 21), ["area", "bilinear"], ["area", "bilinear"]),
        ("yuv444p10le", (40, 30), (60, 45), ["area", "bilinear"], ["area", "nearest"]),
    ],
)  # fmt: skip
def test_chroma_is_resized_and_then_upsampled_as_torch_does_it(
    name: str, size: tuple[int, int], pixels: tuple[int, int], rows: list[str], columns: list[str]
) -> None:
    picture = PictureInfo(*size, PIXEL_FORMATS[name])
    shifts = picture.pixel_format.shift_x, picture.pixel_format.shift_y
    width, height = (-(-side >> shift) for side, shift in zip(size, shifts, strict=True))
    for taps, stored, wanted, steps in zip(
        chroma_taps(picture, *pixels), (height, width), pixels[::-1], (rows, columns), strict=True
    ):
        matrix = torch.eye(stored)
        for step in steps:
            matrix = along(matrix, -(-wanted // 2) if step == "area" else wanted, step)
        assert torch.allclose(applied(taps, stored), matrix, atol=1e-6)
