"""What is covered: boxes become regions of whole blocks of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ClassConfig, Shape
from blurscene_stream.frames import PictureInfo, PixelFormat
from blurscene_stream.redact.windows import Area

Corners = NDArray[np.float64]  # rows of x, y or of x0, y0, x1, y1
NO_OBJECT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The part of a picture that is covered for one object.

    A block is the least part of a picture with a chroma sample of its own: 2 x 2 pixels in 4:2:0. A region is made of
    whole blocks (a block at the right or lower border may be cut by it), so that luma and chroma cover the same area.

    x0, y0, x1, y1: luma pixels, half open, inside the picture; x0 and y0 are the first of a block
    whole:          x0, y0, x1, y1 before it was cut at the border of the picture
    index:          which detection it covers; NO_OBJECT: none, it is an area
    mask:           bool (rows of blocks, columns of blocks), the blocks that are covered; None: all of them
    """

    x0: int
    y0: int
    x1: int
    y1: int
    whole: Area
    index: int
    mask: NDArray[np.bool_] | None = None

    @property
    def area(self) -> Area:
        """The corners together."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def longest_px(self) -> int:
        """The longer side before it was cut at the border of the picture."""
        x0, y0, x1, y1 = self.whole
        return max(x1 - x0, y1 - y0)

    def pixel_mask(self, pixel_format: PixelFormat) -> NDArray[np.bool_]:
        """Return the luma pixels within the corners that are covered, bool (y1 - y0, x1 - x0)."""
        height, width = self.y1 - self.y0, self.x1 - self.x0
        if self.mask is None:
            return np.ones((height, width), np.bool_)
        pixels = self.mask.repeat(1 << pixel_format.shift_y, axis=0).repeat(1 << pixel_format.shift_x, axis=1)
        return pixels[:height, :width]


def covered(
    picture: PictureInfo, detections: Detections, classes: Sequence[ClassConfig], least_margin_px: int
) -> list[Region]:
    """The regions to cover, in the order of the detections; an object that is all outside the picture has none.

    A box grows by its class's margin, at least by `least_margin_px`, and outwards to whole blocks. A box that is
    turned inside out counts as the one between its corners; a box without area still covers a block.
    `classes` are in the order of the labels.
    """
    if not len(detections):
        return []
    margins = np.array([one.margin for one in classes])[detections.class_ids, None]
    oval = np.array([one.shape is Shape.ellipse for one in classes])[detections.class_ids]
    block = np.array([1 << picture.pixel_format.shift_x, 1 << picture.pixel_format.shift_y], np.float64)
    size = np.array([picture.width, picture.height], np.float64)
    low, high = _grown(detections.xyxy.astype(np.float64), margins, least_margin_px, block)
    # An ellipse through the corners of a rectangle has semi-axes sqrt(2) times half its sides.
    bulge = np.where(oval[:, None], (high - low) * (np.sqrt(2) - 1) / 2, 0)
    outer_low, outer_high = _whole_blocks(low - bulge, high + bulge, block)
    wholes = np.hstack((outer_low, outer_high)).tolist()
    corners = np.hstack((np.maximum(outer_low, 0), np.minimum(outer_high, size)))
    # Asked this way round, a number that is none is not taken for an object outside: int() refuses it below.
    inside = ~((outer_high <= 0) | (outer_low >= size)).any(axis=1)
    cut = corners.tolist()
    regions = []
    for index in np.flatnonzero(inside).tolist():
        mask = _ellipse(corners[index], low[index], high[index], block) if oval[index] else None
        regions.append(Region(*_area(cut[index]), _area(wholes[index]), index, mask))
    return regions


def cover_mask(picture: PictureInfo, regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Return the luma pixels (height, width) that lie in any of `regions`."""
    mask = np.zeros((picture.height, picture.width), np.bool_)
    for region in regions:
        mask[region.y0 : region.y1, region.x0 : region.x1] |= region.pixel_mask(picture.pixel_format)
    return mask


def whole_picture(picture: PictureInfo) -> Region:
    """The region that covers all of a picture."""
    form = picture.pixel_format
    width = -(-picture.width >> form.shift_x) << form.shift_x
    height = -(-picture.height >> form.shift_y) << form.shift_y
    return Region(0, 0, picture.width, picture.height, (0, 0, width, height), NO_OBJECT)


def _area(corners: Sequence[float]) -> Area:
    x0, y0, x1, y1 = map(int, corners)
    return x0, y0, x1, y1


def _grown(boxes: Corners, margins: Corners, least_margin_px: int, block: Corners) -> tuple[Corners, Corners]:
    """The lower and the higher corners of `boxes` with their margins, in whole blocks."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    grow = np.maximum((high - low) * margins, least_margin_px)
    return _whole_blocks(low - grow, high + grow, block)


def _whole_blocks(low: Corners, high: Corners, block: Corners) -> tuple[Corners, Corners]:
    """Corners moved outwards to the edges of blocks, at least one block apart."""
    low = np.floor(low / block) * block
    return low, np.maximum(np.ceil(high / block) * block, low + block)


def _ellipse(corners: Corners, low: Corners, high: Corners, block: Corners) -> NDArray[np.bool_]:
    """The blocks within `corners` that the ellipse through the corners of the rectangle `low`, `high` touches."""
    shares: list[NDArray[np.float64]] = []
    inside: list[NDArray[np.bool_]] = []
    for axis in (1, 0):
        centre, semi_axis = (low[axis] + high[axis]) / 2, (high[axis] - low[axis]) / np.sqrt(2)
        start = np.arange(corners[axis], corners[axis + 2], block[axis])
        nearest = np.clip(centre, start, start + block[axis])
        shares.append(((nearest - centre) / semi_axis) ** 2)
        inside.append((start + block[axis] > low[axis]) & (start < high[axis]))
    # The rectangle is within the ellipse; it is said once more because sums of huge numbers are rounded.
    touched: NDArray[np.bool_] = (shares[0][:, None] + shares[1] <= 1) | (inside[0][:, None] & inside[1])
    return touched
