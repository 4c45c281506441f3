"""Parts of the picture in which other rules hold: which objects are covered, and what is covered in any case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.areas import AreasConfig, Polygon, polygon
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import PictureInfo
from blurscene_stream.redact.polygons import Mask, inside, region_of, stored, touched
from blurscene_stream.redact.regions import Region

KINDS = ("roi", "exclude", "always")
PICTURES = 2  # layouts that are kept: a folder of pictures may have a new one for each


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """The areas on one kind of picture.

    roi:      bool (height, width), pixels that any part of an area of roi lies in; None: there are no such areas
    excluded: bool (height, width), pixels that lie wholly in an area of exclude; None: likewise
    regions:  all areas, by kind
    """

    roi: Mask | None
    excluded: Mask | None
    regions: Mapping[str, Sequence[Region]]


class Areas:
    """What `areas` of the settings says of pictures. Pixels on an edge count so that more is covered."""

    def __init__(self, config: AreasConfig) -> None:
        """Lays nothing out yet: that takes a picture."""
        self._kinds = {kind: [polygon(text) for text in getattr(config, kind)] for kind in KINDS}
        self._layout = lru_cache(maxsize=PICTURES)(self._laid_out)

    def kept(self, picture: PictureInfo, detections: Detections) -> Detections:
        """Those of `detections` that must be covered.

        Of a box counts what lies in the picture; one that lies outside counts as what is nearest to it at the border.
        Raises ConfigError for an area that lies outside the picture.
        """
        layout = self._layout(picture)
        if not len(detections) or (layout.roi is None and layout.excluded is None):
            return detections
        parts = _pixels(detections.xyxy, picture)
        keep = np.ones(len(detections), np.bool_)
        if layout.roi is not None:
            keep &= [layout.roi[part].any() for part in parts]
        if layout.excluded is not None:
            keep &= [not layout.excluded[part].all() for part in parts]
        return detections[keep]

    def regions(self, picture: PictureInfo) -> Mapping[str, Sequence[Region]]:
        """All areas, by KINDS; those of "always" are covered in every picture.

        Raises ConfigError for an area that lies outside the picture.
        """
        return self._layout(picture).regions

    def _laid_out(self, picture: PictureInfo) -> _Layout:
        regions: dict[str, list[Region]] = {}
        for kind, areas in self._kinds.items():
            regions[kind] = [region_of(_touched(kind, area, picture), picture) for area in areas]
        size = picture.width, picture.height
        roi = _joined(touched(stored(area, picture), *size) for area in self._kinds["roi"])
        excluded = _joined(inside(stored(area, picture), *size) for area in self._kinds["exclude"])
        return _Layout(roi, excluded, regions)


def _joined(masks: Iterable[Mask]) -> Mask | None:
    """One after the other: masks of many areas of a large picture are not held together."""
    whole: Mask | None = None
    for mask in masks:
        whole = mask if whole is None else whole | mask
    return whole


def _touched(kind: str, area: Polygon, picture: PictureInfo) -> Mask:
    mask = touched(stored(area, picture), picture.width, picture.height)
    if not mask.any():
        width, height = picture.orientation.upright_size(
            round(picture.width * picture.sample_aspect_ratio), picture.height
        )
        raise ConfigError(
            f"areas.{kind}: {area.text[:60]!r} lies outside the picture, which has {width}x{height} pixels as it is "
            f"seen; give other corners, or shares of the picture, 0..1"
        )
    return mask


def _pixels(boxes: Boxes, picture: PictureInfo) -> list[tuple[slice, slice]]:
    """Rows and columns of the pixels that each box has a part of: at least one."""
    size = np.array([picture.width, picture.height], np.float64)
    corners: NDArray[np.float64] = boxes.astype(np.float64)
    low = np.floor(np.minimum(corners[:, :2], corners[:, 2:])).clip(0, size - 1)
    high = np.ceil(np.maximum(corners[:, :2], corners[:, 2:])).clip(low + 1, size)
    edges = np.hstack((low, high)).astype(np.intp).tolist()
    return [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in edges]
