"""Polygon zones: where objects are covered, where they are not, and what is covered in every frame.

Polygons are drawn on the upright picture; here they become pixels and blocks of the stored one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.areas import AreasConfig, Polygon, parse_polygon
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import PictureInfo
from blurscene_stream.redact.regions import Region, block_region

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]  # rows of x, y

ZONE_TYPES = ("roi", "exclude", "always")
CACHED_PICTURES = 2  # a folder of images may have a new shape for each
SNAP_PX = 1e-6  # a point this near to the edge of a pixel was meant to lie on it: 0.1 of 1920 pixels


@dataclass(frozen=True, slots=True, eq=False)
class _ZoneMasks:
    """The zones on pictures of one shape.

    roi:      bool (height, width), pixels that any part of a zone of roi lies in; None: there are no such zones
    excluded: bool (height, width), pixels that lie wholly in a zone of exclude; None: likewise
    regions:  all zones, by type
    """

    roi: Mask | None
    excluded: Mask | None
    regions: Mapping[str, Sequence[Region]]


class Zones:
    """The zones of the settings, on pictures of any shape. Pixels on an edge count so that more is covered."""

    def __init__(self, config: AreasConfig) -> None:
        """Parse the polygons; masks are made for the first picture of each shape."""
        self._polygons = {zone: [parse_polygon(text) for text in getattr(config, zone)] for zone in ZONE_TYPES}
        self._masks = lru_cache(maxsize=CACHED_PICTURES)(self._make_masks)

    def filter(self, picture: PictureInfo, detections: Detections) -> Detections:
        """Return those of `detections` that must be covered.

        The part of a box inside the picture counts; for a box outside, the nearest pixel at the border.
        Raises ConfigError for a zone that lies outside the picture.
        """
        masks = self._masks(picture)
        if not len(detections) or (masks.roi is None and masks.excluded is None):
            return detections
        parts = _box_slices(detections.xyxy, picture)
        keep = np.ones(len(detections), np.bool_)
        if masks.roi is not None:
            keep &= [masks.roi[part].any() for part in parts]
        if masks.excluded is not None:
            keep &= [not masks.excluded[part].all() for part in parts]
        return detections[keep]

    def regions(self, picture: PictureInfo) -> Mapping[str, Sequence[Region]]:
        """Return all zones, by ZONE_TYPES; those of "always" are covered in every picture.

        Raises ConfigError for a zone that lies outside the picture.
        """
        return self._masks(picture).regions

    def _make_masks(self, picture: PictureInfo) -> _ZoneMasks:
        regions: dict[str, list[Region]] = {}
        for zone, polygons in self._polygons.items():
            regions[zone] = [block_region(_visible_mask(zone, each, picture), picture) for each in polygons]
        size = picture.width, picture.height
        roi = _union(touched_pixels(to_stored(each, picture), *size) for each in self._polygons["roi"])
        excluded = _union(inner_pixels(to_stored(each, picture), *size) for each in self._polygons["exclude"])
        return _ZoneMasks(roi, excluded, regions)


def _union(masks: Iterable[Mask]) -> Mask | None:
    """Unite masks one after the other: those of many zones of a large picture are not held together."""
    union: Mask | None = None
    for mask in masks:
        union = mask if union is None else union | mask
    return union


def _visible_mask(zone: str, outline: Polygon, picture: PictureInfo) -> Mask:
    mask = touched_pixels(to_stored(outline, picture), picture.width, picture.height)
    if not mask.any():
        width, height = picture.orientation.upright_size(
            round(picture.width * picture.sample_aspect_ratio), picture.height
        )
        raise ConfigError(
            f"areas.{zone}: {outline.text[:60]!r} lies outside the upright picture of {width}x{height} pixels; "
            "give other corners, or fractions of the picture, 0..1"
        )
    return mask


def _box_slices(boxes: Boxes, picture: PictureInfo) -> list[tuple[slice, slice]]:
    """Return the rows and columns of the pixels that each box has a part of: at least one."""
    size = np.array([picture.width, picture.height], np.float64)
    corners: NDArray[np.float64] = boxes.astype(np.float64)
    low = np.floor(np.minimum(corners[:, :2], corners[:, 2:])).clip(0, size - 1)
    high = np.ceil(np.maximum(corners[:, :2], corners[:, 2:])).clip(low + 1, size)
    edges = np.hstack((low, high)).astype(np.intp).tolist()
    return [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in edges]


def to_stored(outline: Polygon, picture: PictureInfo) -> Points:
    """Return the corners (N, 2) in stored pixels.

    The picture is seen upright, and with square pixels: `sample_aspect_ratio` times as wide as it is stored.
    """
    orientation = picture.orientation
    stretch = float(picture.sample_aspect_ratio)
    width, height = picture.width * stretch, float(picture.height)
    seen = np.array((height, width) if orientation.transposed else (width, height))
    points = np.array(outline.points, np.float64) * (seen if outline.in_shares else 1)
    for axis, flipped in enumerate((orientation.flip_x, orientation.flip_y)):
        if flipped:
            points[:, axis] = seen[axis] - points[:, axis]
    points = (points[:, ::-1] if orientation.transposed else points) / (stretch, 1)
    rounded = np.rint(points)
    return np.where(np.abs(points - rounded) < SNAP_PX, rounded, points)


def touched_pixels(points: Points, width: int, height: int) -> Mask:
    """Return the pixels (height, width) of which any part lies in the polygon."""
    return np.asarray(_edge_pixels(points, width, height) | (_winding_numbers(points, width, height) != 0))


def inner_pixels(points: Points, width: int, height: int) -> Mask:
    """Return the pixels (height, width) that lie in the polygon from corner to corner.

    Where a polygon overlaps itself, inner and touched pixels err on the side of covering: even-odd rule here, nonzero
    winding rule there.
    """
    return np.asarray(~_edge_pixels(points, width, height) & (_winding_numbers(points, width, height) % 2 == 1))


def _edges(points: Points) -> Iterator[tuple[float, float, float, float]]:
    """Yield x0, y0, x1, y1 of each edge, in the polygon's direction."""
    for (x0, y0), (x1, y1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        yield x0, y0, x1, y1


def _edge_pixels(points: Points, width: int, height: int) -> Mask:
    """Return the pixels that an edge goes through, not those that it only borders on."""
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
        left = np.clip(np.floor(across.min(axis=0) + SNAP_PX), 0, width).astype(np.intp)
        right = np.clip(np.ceil(across.max(axis=0) - SNAP_PX), left, width).astype(np.intp)
        starts[rows, left] += 1
        starts[rows, right] -= 1
    return np.asarray(np.cumsum(starts, axis=1, out=starts)[:, :width] > 0)


def _winding_numbers(points: Points, width: int, height: int) -> NDArray[np.int16]:
    """Return how often the polygon goes around the centre of each pixel; the sign is the direction."""
    turns = np.zeros((height, width + 1), np.int16)
    for x0, y0, x1, y1 in _edges(points):
        low, high = min(y0, y1), max(y0, y1)
        rows = np.arange(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5))))
        if not len(rows):
            continue
        across = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        turns[rows, np.clip(np.ceil(across - 0.5), 0, width).astype(np.intp)] += 1 if y1 > y0 else -1
    return np.cumsum(turns, axis=1, out=turns)[:, :width]
