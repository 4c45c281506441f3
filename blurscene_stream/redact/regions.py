"""Cover geometry: the regions that boxes with margin and shape cover, and their mask.

The one place that knows which pixels of which plane are covered: redaction, verify and evaluate use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ClassConfig, Shape
from blurscene_stream.frames import PictureInfo, PixelFormat
from blurscene_stream.redact.plane_views import Rect

Points = NDArray[np.float64]  # rows of x, y
NO_OBJECT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The part of a picture that is covered for one object.

    A block is the smallest part of a picture with a chroma sample of its own: 2 x 2 pixels in 4:2:0. A region is made
    of whole blocks (one at the right or lower border may be cropped), so that luma and chroma cover the same area.

    x0, y0, x1, y1: luma pixels, half open, inside the picture; x0 and y0 are the first of a block
    uncropped:      x0, y0, x1, y1 before cropping to the picture
    index:          index of the detection that it covers; NO_OBJECT: it is a zone
    block_mask:     bool (rows of blocks, columns of blocks), the blocks that are covered; None: all of them
    """

    x0: int
    y0: int
    x1: int
    y1: int
    uncropped: Rect
    index: int
    block_mask: NDArray[np.bool_] | None = None

    @property
    def rect(self) -> Rect:
        """The corners together."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def longest_px(self) -> int:
        """The longer side before cropping to the picture."""
        x0, y0, x1, y1 = self.uncropped
        return max(x1 - x0, y1 - y0)

    def pixel_mask(self, pixel_format: PixelFormat) -> NDArray[np.bool_]:
        """Return the luma pixels within the corners that are covered, bool (y1 - y0, x1 - x0)."""
        height, width = self.y1 - self.y0, self.x1 - self.x0
        if self.block_mask is None:
            return np.ones((height, width), np.bool_)
        pixels = self.block_mask.repeat(1 << pixel_format.shift_y, axis=0).repeat(1 << pixel_format.shift_x, axis=1)
        return pixels[:height, :width]


def cover_regions(
    picture: PictureInfo, detections: Detections, classes: Sequence[ClassConfig], min_margin_px: int
) -> list[Region]:
    """Return the regions that cover the detections, in their order; an object outside the picture has none.

    A box grows by its class's margin, at least by `min_margin_px`, and outwards to whole blocks. A box that is turned
    inside out counts as the one between its corners; a box without area still covers a block.
    `classes` are in the order of the class ids.
    """
    if not len(detections):
        return []
    margins = np.array([one.margin for one in classes])[detections.class_ids, None]
    is_ellipse = np.array([one.shape is Shape.ellipse for one in classes])[detections.class_ids]
    block = np.array([1 << picture.pixel_format.shift_x, 1 << picture.pixel_format.shift_y], np.float64)
    size = np.array([picture.width, picture.height], np.float64)
    low, high = _grown(detections.xyxy.astype(np.float64), margins, min_margin_px, block)
    # An ellipse through the corners of a rectangle has semi-axes sqrt(2) times half its sides.
    bulge = np.where(is_ellipse[:, None], (high - low) * (np.sqrt(2) - 1) / 2, 0)
    outer_low, outer_high = _to_blocks(low - bulge, high + bulge, block)
    uncropped = np.hstack((outer_low, outer_high)).tolist()
    corners = np.hstack((np.maximum(outer_low, 0), np.minimum(outer_high, size)))
    # Negated, so that NaN does not count as an object outside: int() refuses it below.
    visible = ~((outer_high <= 0) | (outer_low >= size)).any(axis=1)
    cropped = corners.tolist()
    regions = []
    for index in np.flatnonzero(visible).tolist():
        mask = _ellipse_mask(corners[index], low[index], high[index], block) if is_ellipse[index] else None
        regions.append(Region(*_rect(cropped[index]), _rect(uncropped[index]), index, mask))
    return regions


def cover_mask(picture: PictureInfo, regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Return the luma pixels (height, width) that lie in any of `regions`."""
    mask = np.zeros((picture.height, picture.width), np.bool_)
    for region in regions:
        mask[region.y0 : region.y1, region.x0 : region.x1] |= region.pixel_mask(picture.pixel_format)
    return mask


def full_region(picture: PictureInfo) -> Region:
    """Return the region that covers the whole picture."""
    pixel_format = picture.pixel_format
    width = -(-picture.width >> pixel_format.shift_x) << pixel_format.shift_x
    height = -(-picture.height >> pixel_format.shift_y) << pixel_format.shift_y
    return Region(0, 0, picture.width, picture.height, (0, 0, width, height), NO_OBJECT)


def block_region(pixel_mask: NDArray[np.bool_], picture: PictureInfo) -> Region:
    """Return the region of all blocks that have a pixel in a mask (height, width), of which there is at least one."""
    step_x, step_y = 1 << picture.pixel_format.shift_x, 1 << picture.pixel_format.shift_y
    strips = np.logical_or.reduceat(pixel_mask, np.arange(0, picture.height, step_y), axis=0)
    blocks = np.logical_or.reduceat(strips, np.arange(0, picture.width, step_x), axis=1)
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    uncropped = (left * step_x, top * step_y, right * step_x, bottom * step_y)
    x1, y1 = min(uncropped[2], picture.width), min(uncropped[3], picture.height)
    mask = blocks[top:bottom, left:right].copy()
    return Region(uncropped[0], uncropped[1], x1, y1, uncropped, NO_OBJECT, None if mask.all() else mask)


def _rect(corners: Sequence[float]) -> Rect:
    x0, y0, x1, y1 = map(int, corners)
    return x0, y0, x1, y1


def _grown(boxes: Points, margins: Points, min_margin_px: int, block: Points) -> tuple[Points, Points]:
    """Return the lower and the higher corners of `boxes` with their margins, in whole blocks."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    margin = np.maximum((high - low) * margins, min_margin_px)
    return _to_blocks(low - margin, high + margin, block)


def _to_blocks(low: Points, high: Points, block: Points) -> tuple[Points, Points]:
    """Move corners outwards to the edges of blocks, at least one block apart."""
    low = np.floor(low / block) * block
    return low, np.maximum(np.ceil(high / block) * block, low + block)


def _ellipse_mask(corners: Points, low: Points, high: Points, block: Points) -> NDArray[np.bool_]:
    """Return the blocks within `corners` that the ellipse around the rectangle `low`, `high` touches."""
    distances: list[NDArray[np.float64]] = []
    inside: list[NDArray[np.bool_]] = []
    for axis in (1, 0):
        centre, semi_axis = (low[axis] + high[axis]) / 2, (high[axis] - low[axis]) / np.sqrt(2)
        start = np.arange(corners[axis], corners[axis + 2], block[axis])
        nearest = np.clip(centre, start, start + block[axis])
        distances.append(((nearest - centre) / semi_axis) ** 2)
        inside.append((start + block[axis] > low[axis]) & (start < high[axis]))
    # The rectangle lies within the ellipse; it is added because sums of huge numbers are rounded.
    touched: NDArray[np.bool_] = (distances[0][:, None] + distances[1] <= 1) | (inside[0][:, None] & inside[1])
    return touched
