"""What is put over a region, one function a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np

from blurscene_stream.config.schema import RedactConfig, RedactMethod
from blurscene_stream.frames import Model, Plane
from blurscene_stream.redact.cells import cut, means
from blurscene_stream.redact.windows import Window, full_range

Cover = Callable[[Window, RedactConfig, float], Plane]
"""(one plane's samples, settings, longer side of the whole object in luma pixels) -> new samples of that shape."""


def mosaic(window: Window, config: RedactConfig, longest_px: float) -> Plane:
    """Flat cells, each the mean of its samples."""
    cells = cut(window, config.cells, longest_px)
    return means(window, cells).repeat(cells.width, axis=1).repeat(cells.height, axis=0)


def blur(window: Window, config: RedactConfig, longest_px: float) -> Plane:
    """A smooth surface through the mosaic's means.

    It is made from those numbers alone, so no more can be recovered from it than from the mosaic; a kernel that slides
    over the samples would keep more than it shows (Gaussian blur on faces is undone: arXiv 2506.12344).
    """
    cells = cut(window, config.cells, longest_px)
    flat = means(window, cells)
    height, width = window.samples.shape[:2]
    surface = cv2.resize(flat, (width, height), interpolation=cv2.INTER_LINEAR)
    # Linear interpolation has creases where cells meet; a second pass as wide as a cell takes them away.
    # One direction at a time: the sum under a kernel as large as a cell may exceed 32 bits.
    for kernel in ((_odd(width, flat.shape[1]), 1), (1, _odd(height, flat.shape[0]))):
        surface = cv2.blur(surface, kernel, borderType=cv2.BORDER_REPLICATE)
    return cast(Plane, surface)


def _odd(length: int, count: int) -> int:
    return 1 if count == 1 else length // count | 1


def solid(window: Window, config: RedactConfig, longest_px: float) -> Plane:  # noqa: ARG001 (a Cover)
    """One colour: the chosen grey, opaque."""
    form = window.format
    if window.is_alpha:
        value = (1 << form.bits) - 1
    elif form.model is Model.yuv:
        value = (128 if window.plane else config.solid_luma) << (form.bits - 8)
    else:
        value = full_range(config.solid_luma, form)
    return np.full_like(window.samples, value)


COVERS: dict[RedactMethod, Cover] = {
    RedactMethod.mosaic: mosaic,
    RedactMethod.blur: blur,
    RedactMethod.solid: solid,
}
