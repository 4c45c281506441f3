"""What is put over a region, one function a method."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import RedactConfig, RedactMethod
from blurscene_stream.frames import ColorModel, Plane
from blurscene_stream.redact.cells import cut, means
from blurscene_stream.redact.first_look import Axis, FirstLook, Side, counts, positions, sides
from blurscene_stream.redact.regions import Region
from blurscene_stream.redact.windows import Window, full_range

Shares = NDArray[np.float32]
Cover = Callable[[Window, RedactConfig, float], Plane]
"""(one plane's samples, settings, longer side of the whole object in luma pixels) -> new samples of that shape."""
CoverAgain = Callable[[Window, Region, FirstLook], Plane]
"""(one plane's samples, what is covered, the object's first look) -> new samples of that shape, from the look alone."""


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
    elif form.color_model is ColorModel.yuv:
        value = (128 if window.plane else config.solid_luma) << (form.bits - 8)
    else:
        value = full_range(config.solid_luma, form)
    return np.full_like(window.samples, value)


COVERS: dict[RedactMethod, Cover] = {
    RedactMethod.mosaic: mosaic,
    RedactMethod.blur: blur,
    RedactMethod.solid: solid,
}


def mosaic_again(window: Window, region: Region, first: FirstLook) -> Plane:
    """The flat cells of the first look, stretched."""
    down, across = sides(window, region)
    flat = first.means[window.plane]
    return flat.repeat(counts(first.columns, across), axis=1).repeat(counts(first.rows, down), axis=0)


def blur_again(window: Window, region: Region, first: FirstLook) -> Plane:
    """The smooth surface through the means of the first look, stretched.

    It is the quadratic B-spline whose control points are the means: what linear interpolation becomes under a kernel as
    wide as a cell.
    """
    down, across = sides(window, region)
    rows, columns = _shares(first.rows, down), _shares(first.columns, across)
    flat = first.means[window.plane]
    if flat.ndim == 2:
        return _product(rows, flat, columns)
    return cast(Plane, cv2.merge([_product(rows, flat[:, :, part], columns) for part in (0, 1)]))


def _product(rows: Shares, flat: Plane, columns: Shares) -> Plane:
    """rows @ flat @ columns.T, rounded.

    Not by NumPy: where the processor is busy, its threads wait for each other for longer than all this takes.
    """
    none = np.empty(0, np.float32)
    points = flat.astype(np.float32) + np.float32(0.5)  # shares sum to 1: the half is there in the end, to be cut off
    strip = cv2.gemm(rows, points, 1, none, 0)
    return cast(Plane, cv2.gemm(strip, columns, 1, none, 0, flags=cv2.GEMM_2_T).astype(flat.dtype))


@lru_cache(maxsize=512)  # the planes of a picture share them
def _shares(then: Axis, now: Side) -> Shares:
    """What each of C cells has in the spline at each of the N samples of a side, (N, C); in all 1.

    Where two cells meet, the spline takes a smooth step from one to the other, as wide as both. Beyond the outer edges
    it stays as it is.
    """
    count = len(then.edges) - 1
    off = positions(then, now)[:, None] - np.arange(1, count, dtype=np.float32)
    off = np.minimum(np.maximum(off, -1), 1)
    shares = np.ones((now.samples, count), np.float32)
    shares[:, 1:] = 0.5 + off * (1 - np.abs(off) / 2)  # of this cell and those after it
    shares[:, :-1] -= shares[:, 1:]
    return shares


COVERS_AGAIN: dict[RedactMethod, CoverAgain] = {
    RedactMethod.mosaic: mosaic_again,
    RedactMethod.blur: blur_again,
}
"""What covers an object with a track, in its first frame too; a method that shows nothing of objects needs none."""
