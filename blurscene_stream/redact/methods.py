"""Redaction methods: mosaic, blur and solid fill, for an object on its own and for one with a first appearance."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import RedactConfig, RedactMethod
from blurscene_stream.frames import ColorModel, Plane
from blurscene_stream.redact.first_appearance import (
    FirstAppearance,
    GridAxis,
    Side,
    cell_positions,
    sides,
    stretched_cells,
)
from blurscene_stream.redact.mosaic_grid import cell_means, mosaic_grid
from blurscene_stream.redact.plane_views import PlaneView, to_full_range
from blurscene_stream.redact.regions import Region

Weights = NDArray[np.float32]
Method = Callable[[PlaneView, RedactConfig, float], Plane]
"""(samples of a plane, settings, longer side of the whole object in luma pixels) -> new samples of that shape."""
TrackedMethod = Callable[[PlaneView, Region, FirstAppearance], Plane]
"""(samples of a plane, region, the object's first appearance) -> new samples of that shape, from that alone."""


def mosaic(view: PlaneView, config: RedactConfig, longest_px: float) -> Plane:
    """Return flat cells, each the mean of its samples."""
    grid = mosaic_grid(view, config.cells, longest_px)
    return cell_means(view, grid).repeat(grid.width, axis=1).repeat(grid.height, axis=0)


def blur(view: PlaneView, config: RedactConfig, longest_px: float) -> Plane:
    """Return a smooth surface through the means of the mosaic.

    It is made from those numbers alone, so no more can be recovered from it than from the mosaic; a kernel that slides
    over the samples would keep more than it shows (Gaussian blur on faces is undone: arXiv 2506.12344).
    """
    means = cell_means(view, mosaic_grid(view, config.cells, longest_px))
    height, width = view.samples.shape[:2]
    surface = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
    # Linear interpolation has creases where cells meet; a second pass as wide as a cell takes them away.
    # One direction at a time: the sum under a kernel as large as a cell may exceed 32 bits.
    for kernel in ((_odd_cell(width, means.shape[1]), 1), (1, _odd_cell(height, means.shape[0]))):
        surface = cv2.blur(surface, kernel, borderType=cv2.BORDER_REPLICATE)
    return cast(Plane, surface)


def _odd_cell(length: int, cells: int) -> int:
    return 1 if cells == 1 else length // cells | 1


def solid(view: PlaneView, config: RedactConfig, longest_px: float) -> Plane:  # noqa: ARG001 (a Method)
    """Return one opaque grey, that of the settings."""
    pixel_format = view.format
    if view.is_alpha:
        value = (1 << pixel_format.bits) - 1
    elif pixel_format.color_model is ColorModel.yuv:
        value = (128 if view.plane else config.solid_luma) << (pixel_format.bits - 8)
    else:
        value = to_full_range(config.solid_luma, pixel_format)
    return np.full_like(view.samples, value)


METHODS: dict[RedactMethod, Method] = {
    RedactMethod.mosaic: mosaic,
    RedactMethod.blur: blur,
    RedactMethod.solid: solid,
}


def tracked_mosaic(view: PlaneView, region: Region, first: FirstAppearance) -> Plane:
    """Return the flat cells of the first appearance, stretched over the object."""
    vertical, horizontal = sides(view, region)
    means = first.means[view.plane]
    rows, columns = stretched_cells(first.rows, vertical), stretched_cells(first.columns, horizontal)
    return means.repeat(columns, axis=1).repeat(rows, axis=0)


def tracked_blur(view: PlaneView, region: Region, first: FirstAppearance) -> Plane:
    """Return the smooth surface through the means of the first appearance, stretched over the object.

    It is the quadratic B-spline whose control points are the means: what linear interpolation becomes under a kernel as
    wide as a cell.
    """
    vertical, horizontal = sides(view, region)
    rows, columns = _spline_weights(first.rows, vertical), _spline_weights(first.columns, horizontal)
    means = first.means[view.plane]
    if means.ndim == 2:
        return _spline_surface(rows, means, columns)
    return cast(Plane, cv2.merge([_spline_surface(rows, means[:, :, part], columns) for part in (0, 1)]))


def _spline_surface(rows: Weights, means: Plane, columns: Weights) -> Plane:
    """Return rows @ means @ columns.T, rounded.

    Not by NumPy: where the processor is busy, its threads wait for each other for longer than all this takes.
    """
    unused = np.empty(0, np.float32)
    points = means.astype(np.float32) + np.float32(0.5)  # weights sum to 1: astype then rounds to the nearest
    strip = cv2.gemm(rows, points, 1, unused, 0)
    return cast(Plane, cv2.gemm(strip, columns, 1, unused, 0, flags=cv2.GEMM_2_T).astype(means.dtype))


@lru_cache(maxsize=512)  # the planes of a picture share them
def _spline_weights(first: GridAxis, side: Side) -> Weights:
    """Return the weight of each of C cells at each of the N samples of a side, (N, C); rows sum to 1.

    Where two cells meet, the spline takes a smooth step from one to the other, as wide as both. Beyond the outer edges
    it stays constant.
    """
    cells = len(first.edges) - 1
    distance = cell_positions(first, side)[:, None] - np.arange(1, cells, dtype=np.float32)
    distance = np.minimum(np.maximum(distance, -1), 1)
    weights = np.ones((side.samples, cells), np.float32)
    weights[:, 1:] = 0.5 + distance * (1 - np.abs(distance) / 2)  # of this cell and those after it
    weights[:, :-1] -= weights[:, 1:]
    return weights


TRACKED_METHODS: dict[RedactMethod, TrackedMethod] = {
    RedactMethod.mosaic: tracked_mosaic,
    RedactMethod.blur: tracked_blur,
}
"""Methods for a tracked object, in its first frame too; a method that shows nothing of objects needs none."""
