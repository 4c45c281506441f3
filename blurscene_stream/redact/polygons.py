"""Polygons on the picture as it is seen become pixels and blocks of the picture as it is stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.areas import Polygon
from blurscene_stream.frames import PictureInfo
from blurscene_stream.redact.regions import NO_OBJECT, Region

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]  # rows of x, y

NEAR_PX = 1e-6  # what is this near to the edge of a pixel was meant to lie on it: 0.1 of 1920 pixels


def stored(polygon: Polygon, picture: PictureInfo) -> Points:
    """The corners (N, 2) in stored pixels.

    The picture is seen upright, and with square pixels: `sample_aspect_ratio` times as wide as it is stored.
    """
    turn = picture.orientation
    stretch = float(picture.sample_aspect_ratio)
    width, height = picture.width * stretch, float(picture.height)
    seen = np.array((height, width) if turn.transposed else (width, height))
    points = np.array(polygon.points, np.float64) * (seen if polygon.in_shares else 1)
    for axis, flipped in enumerate((turn.flip_x, turn.flip_y)):
        if flipped:
            points[:, axis] = seen[axis] - points[:, axis]
    points = (points[:, ::-1] if turn.transposed else points) / (stretch, 1)
    whole = np.rint(points)
    return np.where(np.abs(points - whole) < NEAR_PX, whole, points)


def touched(points: Points, width: int, height: int) -> Mask:
    """The pixels (height, width) of which any part lies in the polygon."""
    return np.asarray(_on_edges(points, width, height) | (_windings(points, width, height) != 0))


def inside(points: Points, width: int, height: int) -> Mask:
    """The pixels (height, width) that lie in the polygon from corner to corner.

    Where a polygon lies over itself, what is `inside` and what is `touched` err on the side of covering: even-odd here,
    nonzero winding there.
    """
    return np.asarray(~_on_edges(points, width, height) & (_windings(points, width, height) % 2 == 1))


def _edges(points: Points) -> Iterator[tuple[float, float, float, float]]:
    """x0, y0, x1, y1 of each edge, in the polygon's direction."""
    for (x0, y0), (x1, y1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        yield x0, y0, x1, y1


def _on_edges(points: Points, width: int, height: int) -> Mask:
    """The pixels that an edge goes through; one that it only borders on is none."""
    starts = np.zeros((height, width + 1), np.int16)  # +1 where a run of such pixels starts, -1 where it has ended
    for x0, y0, x1, y1 in _edges(points):
        low, high = min(y0, y1), max(y0, y1)
        rows = np.arange(max(0, int(np.floor(low))), min(height, int(np.ceil(high))))
        if not len(rows):
            continue
        if y1 == y0:
            across = np.array([[x0], [x1]])
        else:
            ends = np.clip([rows, rows + 1], low, high)
            across = np.clip(x0 + (ends - y0) * (x1 - x0) / (y1 - y0), min(x0, x1), max(x0, x1))
        left = np.clip(np.floor(across.min(axis=0) + NEAR_PX), 0, width).astype(np.intp)
        right = np.clip(np.ceil(across.max(axis=0) - NEAR_PX), left, width).astype(np.intp)
        starts[rows, left] += 1
        starts[rows, right] -= 1
    return np.asarray(np.cumsum(starts, axis=1, out=starts)[:, :width] > 0)


def _windings(points: Points, width: int, height: int) -> NDArray[np.int16]:
    """How often the polygon goes around the middle of each pixel; its sign is the direction."""
    turns = np.zeros((height, width + 1), np.int16)
    for x0, y0, x1, y1 in _edges(points):
        low, high = min(y0, y1), max(y0, y1)
        rows = np.arange(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5))))
        if not len(rows):
            continue
        across = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        turns[rows, np.clip(np.ceil(across - 0.5), 0, width).astype(np.intp)] += 1 if y1 > y0 else -1
    return np.cumsum(turns, axis=1, out=turns)[:, :width]


def region_of(mask: Mask, picture: PictureInfo) -> Region:
    """The region of all blocks that have a pixel in `mask` (height, width), of which there is at least one."""
    step_x, step_y = 1 << picture.pixel_format.shift_x, 1 << picture.pixel_format.shift_y
    strips = np.logical_or.reduceat(mask, np.arange(0, picture.height, step_y), axis=0)
    blocks = np.logical_or.reduceat(strips, np.arange(0, picture.width, step_x), axis=1)
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    whole = (left * step_x, top * step_y, right * step_x, bottom * step_y)
    x1, y1 = min(whole[2], picture.width), min(whole[3], picture.height)
    part = blocks[top:bottom, left:right].copy()
    return Region(whole[0], whole[1], x1, y1, whole, NO_OBJECT, None if part.all() else part)
