"""Makes network input of frames, and knows the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from blurscene_stream.boxes import Boxes, scale
from blurscene_stream.detect.network import MULTIPLE
from blurscene_stream.frames import Frame, PictureInfo

Rgb = NDArray[np.uint8]
Region = tuple[int, int, int, int]
"""x0 y0 x1 y1 in stored pixels, half open."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a region of the picture lies upright in the network's input; the rest of that is padding.

    picture:        the shape of the frames
    region:         what is shown of them
    content_width:  network pixels that the upright region takes
    content_height: likewise
    width, height:  of the network's input
    mirrored:       left and right have changed places
    left, top:      where the content begins in the network's input
    """

    picture: PictureInfo
    region: Region
    content_width: int
    content_height: int
    width: int
    height: int
    mirrored: bool = False
    left: int = 0
    top: int = 0

    @property
    def shows_all(self) -> bool:
        """Whether the region is the whole picture."""
        return self.region == (0, 0, self.picture.width, self.picture.height)

    @property
    def stored_size(self) -> tuple[int, int]:
        """The width and height of the content before it is turned upright."""
        return self.picture.orientation.upright_size(self.content_width, self.content_height)

    def to_stored(self, boxes: Boxes) -> Boxes:
        """Boxes (N, 4) in network pixels, mapped to stored pixels of the frame."""
        left, top, right, bottom = self.region
        boxes = boxes - np.array([self.left, self.top, self.left, self.top], np.float32)
        if self.mirrored:
            x0, y0, x1, y1 = boxes.T
            boxes = np.stack([self.content_width - x1, y0, self.content_width - x0, y1], axis=1)
        width, height = self.picture.orientation.upright_size(right - left, bottom - top)
        upright = scale(boxes, width / self.content_width, height / self.content_height)
        inside = self.picture.orientation.to_stored(upright, width, height)
        return inside + np.array([left, top, left, top], np.float32)


def plan_layout(
    picture: PictureInfo, size_px: int, max_upscale: float, times: float = 1.0, multiple: int = MULTIPLE
) -> Layout:
    """Show the whole picture upright, at the top left, with square pixels and its longer side at `size_px`.

    A picture smaller than that is enlarged `max_upscale` times at most. The input never exceeds `size_px` (rounded up
    to `multiple`) on either side, however odd the picture. `times` changes the size that comes of that.
    """
    across, down = _upright_sides(picture)
    factor = min(size_px / float(max(across, down)), max_upscale) * times
    content_width, content_height = (max(1, round(float(side) * factor)) for side in (across, down))
    width, height = (-(-side // multiple) * multiple for side in (content_width, content_height))
    return Layout(picture, _whole(picture), content_width, content_height, width, height)


def plan_padded(picture: PictureInfo, width: int, height: int, times: float = 1.0) -> Layout:
    """Show the whole picture upright, with square pixels, in the middle of `width` x `height` and as large as fits.

    In whole pixels as BlurScene's PaddedResize counts them. `times` (at most 1) makes the content smaller than that.
    """
    across, down = (float(side) for side in _upright_sides(picture))
    factor = times * (height / down if down / across >= height / width else width / across)
    content_width, content_height = max(1, int(factor * across)), max(1, int(factor * down))
    left, top = (width - content_width) // 2, (height - content_height) // 2
    whole = _whole(picture)
    return Layout(picture, whole, content_width, content_height, width, height, left=left, top=top)


def _upright_sides(picture: PictureInfo) -> tuple[Fraction | int, Fraction | int]:
    """The sides of the upright picture in square pixels."""
    stretched = picture.width * picture.sample_aspect_ratio
    return (picture.height, stretched) if picture.orientation.transposed else (stretched, picture.height)


def _whole(picture: PictureInfo) -> Region:
    return (0, 0, picture.width, picture.height)


class Drawer:
    """Draws frames as layouts show them. What two in succession share, mirrored or not, is made once."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._full: Rgb | None = None
        self._made: tuple[tuple[Region, tuple[int, int]], Rgb] | None = None

    def draw(self, frame: Frame, layout: Layout, out: Rgb) -> None:
        """Write `frame` into `out`, uint8 (layout.height, layout.width, 3), RGB. Padding is left as it is.

        Raises ValueError when the frame has another shape than the layout was made for.
        """
        if frame.picture != layout.picture:
            raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {layout.picture}")
        if frame is not self._frame:
            self._frame, self._full, self._made = frame, None, None
        upright = layout.picture.orientation.upright(self._cut(frame, layout))
        shown = upright[:, ::-1] if layout.mirrored else upright
        bottom, right = layout.top + layout.content_height, layout.left + layout.content_width
        out[layout.top : bottom, layout.left : right] = shown

    def _cut(self, frame: Frame, layout: Layout) -> Rgb:
        """The region as it is stored, at its size in the network's input: (height, width, 3)."""
        key = (layout.region, layout.stored_size)
        if self._made is None or self._made[0] != key:
            whole = layout.shows_all
            self._made = key, frame.scale_rgb(*layout.stored_size) if whole else self._enlarged(frame, layout)
        return self._made[1]

    def _enlarged(self, frame: Frame, layout: Layout) -> Rgb:
        """From the picture at its full size: what was shrunk before has nothing more to show."""
        if self._full is None:
            self._full = frame.scale_rgb(layout.picture.width, layout.picture.height)
        x0, y0, x1, y1 = layout.region
        return resized(self._full[y0:y1, x0:x1], *layout.stored_size)


def resized(picture: Rgb, width: int, height: int) -> Rgb:
    """The picture (H, W, 3) at another size; every pixel of it counts, however much it shrinks."""
    rows = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    made = functional.interpolate(rows, (height, width), mode="bilinear", antialias=True)
    return np.asarray(made[0].permute(1, 2, 0).numpy(), np.uint8)
