"""Letterbox geometry: how a view of a picture lies in the network's input, and the way back for boxes.

Test-time augmentation (TTA) shows a network several views of a picture: whole, at several scales, tiled, mirrored,
turned, and as stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Orientation, scale
from blurscene_stream.config.schema import VariantsConfig
from blurscene_stream.frames import PictureInfo

Region = tuple[int, int, int, int]
"""x0 y0 x1 y1 in stored pixels, half open."""

MAX_ASPECT_RATIO = Fraction(5, 2)
"""Sample aspect ratio, or its inverse, beyond which it may be false; pictures of anamorphic lenses have 2 at most."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Place of a region of the picture, upright, in the network's input; the rest of that is padding.

    picture:        the shape of the frames
    region:         the part of them that is shown
    content_width:  network pixels that the upright region takes
    content_height: likewise
    width, height:  of the network's input
    mirrored:       left and right have changed places
    rotation:       degrees, a multiple of 90, by which the upright picture is turned clockwise; what is called upright
                    here is the picture turned by them
    left, top:      where the content begins in the network's input
    min_size_px:    network pixels of the longer side from which on a box counts
    """

    picture: PictureInfo
    region: Region
    content_width: int
    content_height: int
    width: int
    height: int
    mirrored: bool = False
    rotation: int = 0
    left: int = 0
    top: int = 0
    min_size_px: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether the region is the whole picture."""
        return self.region == _whole(self.picture)

    @property
    def orientation(self) -> Orientation:
        """How the stored picture is turned to be shown."""
        return self.picture.orientation.turned(self.rotation)

    @property
    def stored_size(self) -> tuple[int, int]:
        """The width and height of the content before it is turned upright."""
        return self.orientation.upright_size(self.content_width, self.content_height)

    def counts(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Return which boxes (N, 4) in network pixels are large enough."""
        return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= self.min_size_px, np.bool_)

    def to_stored(self, boxes: Boxes) -> Boxes:
        """Map boxes (N, 4) in network pixels to stored pixels of the frame."""
        left, top, right, bottom = self.region
        boxes = boxes - np.array([self.left, self.top, self.left, self.top], np.float32)
        if self.mirrored:
            x0, y0, x1, y1 = boxes.T
            boxes = np.stack([self.content_width - x1, y0, self.content_width - x0, y1], axis=1)
        width, height = self.orientation.upright_size(right - left, bottom - top)
        upright = scale(boxes, width / self.content_width, height / self.content_height)
        inside = self.orientation.to_stored(upright, width, height)
        return inside + np.array([left, top, left, top], np.float32)


def letterbox_top_left(
    picture: PictureInfo, size_px: int, max_upscale: float, times: float = 1.0, multiple: int = 1
) -> Letterbox:
    """Show the whole picture upright, at the top left, with square pixels and its longer side at `size_px`.

    A smaller picture is enlarged `max_upscale` times at most. The input never exceeds `size_px` (rounded up to
    `multiple`) on either side, however odd the picture. `times` scales the size that comes of that.
    """
    across, down = _upright_sides(picture)
    factor = min(size_px / float(max(across, down)), max_upscale) * times
    content_width, content_height = (max(1, round(float(side) * factor)) for side in (across, down))
    width, height = (-(-side // multiple) * multiple for side in (content_width, content_height))
    return Letterbox(picture, _whole(picture), content_width, content_height, width, height)


def letterbox_centered(picture: PictureInfo, width: int, height: int, times: float = 1.0) -> Letterbox:
    """Show the whole picture upright, with square pixels, in the middle of `width` x `height` and as large as fits.

    In whole pixels as BlurScene's PaddedResize counts them. `times` (at most 1) makes the content smaller than that.
    """
    across, down = (float(side) for side in _upright_sides(picture))
    factor = times * (height / down if down / across >= height / width else width / across)
    content_width, content_height = max(1, int(factor * across)), max(1, int(factor * down))
    left, top = (width - content_width) // 2, (height - content_height) // 2
    whole = _whole(picture)
    return Letterbox(picture, whole, content_width, content_height, width, height, left=left, top=top)


def _upright_sides(picture: PictureInfo) -> tuple[Fraction | int, Fraction | int]:
    """The sides of the upright picture in square pixels."""
    stretched = picture.width * picture.sample_aspect_ratio
    return (picture.height, stretched) if picture.orientation.transposed else (stretched, picture.height)


def _whole(picture: PictureInfo) -> Region:
    return (0, 0, picture.width, picture.height)


def tta_views(
    picture: PictureInfo,
    variants: VariantsConfig,
    letterbox: Callable[[PictureInfo, float], Letterbox],
    rotations: Sequence[int] = (0,),
) -> list[Letterbox]:
    """Return all views of a frame that a model is shown; `letterbox` is the model's own.

    The whole picture at each of `scales`, the reduced ones for large boxes alone; n x n tiles, each as large as the
    whole picture at scale 1, so that they share its batch; with `mirror_image` all of these once more, mirrored; all
    that at each of `rotations`, degrees clockwise; and, beyond MAX_ASPECT_RATIO, everything with square pixels too.
    """
    made = []
    for shape in _shapes(picture):
        for degrees in rotations:
            turned = replace(shape, orientation=picture.orientation.turned(degrees))
            made += [replace(view, picture=picture, rotation=degrees) for view in _views(turned, variants, letterbox)]
    return made


def _shapes(picture: PictureInfo) -> list[PictureInfo]:
    """Return the picture, and as it is stored where its sample aspect ratio may be false and squeeze what it shows."""
    ratio = picture.sample_aspect_ratio
    if 1 / MAX_ASPECT_RATIO <= ratio <= MAX_ASPECT_RATIO:
        return [picture]
    return [picture, replace(picture, sample_aspect_ratio=Fraction(1))]


def _views(
    picture: PictureInfo, variants: VariantsConfig, letterbox: Callable[[PictureInfo, float], Letterbox]
) -> list[Letterbox]:
    """Return the views of a picture at one rotation."""
    views = [_scaled(letterbox(picture, times), times, variants) for times in dict.fromkeys(variants.scales)]
    if variants.enlarged_regions_n > 1:
        whole = letterbox(picture, 1.0)
        cuts = tiles(picture.width, picture.height, variants.enlarged_regions_n, variants.region_overlap)
        views += [replace(whole, region=region) for region in cuts]
    if variants.mirror_image:
        views += [replace(view, mirrored=True) for view in views]
    return views


def _scaled(view: Letterbox, times: float, variants: VariantsConfig) -> Letterbox:
    """Let a reduced view beside a larger one count for large boxes alone: the larger one shows small objects better."""
    is_reduced = times < min(1.0, max(variants.scales))
    return replace(view, min_size_px=variants.reduced_min_size_px) if is_reduced else view


def tiles(width: int, height: int, parts: int, overlap: float) -> list[Region]:
    """Cut a picture into `parts` x `parts` regions, row by row; together they show every pixel."""
    columns, rows = tile_spans(width, parts, overlap), tile_spans(height, parts, overlap)
    return [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]


def tile_spans(length: int, parts: int, overlap: float) -> list[tuple[int, int]]:
    """Cut 0..length into `parts` spans of equal length, each with `overlap` of it in common with the next.

    In whole pixels, so that what is not longer than the overlap less one pixel is whole in one of them.
    """
    span = min(length, math.ceil(length / (parts - (parts - 1) * overlap)))
    starts = [index * (length - span) // max(parts - 1, 1) for index in range(parts)]
    return [(start, start + span) for start in starts]


def group_by_input_size(views: Sequence[Letterbox]) -> list[list[Letterbox]]:
    """Group the views that can be stacked into one batch."""
    groups: dict[tuple[int, int], list[Letterbox]] = {}
    for view in views:
        groups.setdefault((view.width, view.height), []).append(view)
    return list(groups.values())
