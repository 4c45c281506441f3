"""Views of one rectangle of a frame, plane by plane, and a check that the planes are what the frame says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.errors import RedactionError
from blurscene_stream.frames import ColorModel, Frame, PictureInfo, PixelFormat, Plane

Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 in luma pixels, half open; x0 and y0 are the first of a chroma block."""
BLACK, WHITE = 16, 235  # luma of 8-bit video of limited range


@dataclass(frozen=True, slots=True, eq=False)
class PlaneView:
    """The samples of a rectangle in one plane.

    samples: the plane's own memory, (h, w) or, for interleaved chroma, (h, w, 2)
    plane:   index in Frame.planes
    rect:    the rectangle, in luma pixels
    format:  pixel format of the frame
    """

    samples: Plane
    plane: int
    rect: Rect
    format: PixelFormat

    @property
    def is_alpha(self) -> bool:
        """True where the samples are opacity, not colour."""
        return self.format.alpha and self.plane == self.format.plane_count - 1

    def write(self, cover: Plane, block_mask: NDArray[np.bool_] | None) -> None:
        """Put `cover`, shaped like the samples, over them: in the blocks of the mask, everywhere when it is None."""
        if block_mask is None:
            self.samples[...] = cover
            return
        mask = block_mask
        if self.plane == 0:
            mask = mask.repeat(1 << self.format.shift_y, axis=0).repeat(1 << self.format.shift_x, axis=1)
        rows, columns = self.samples.shape[:2]  # a mask of blocks may reach over an odd border
        chosen = np.ascontiguousarray(mask[:rows, :columns]).view(np.uint8)
        self.samples[...] = cv2.copyTo(cover, chosen, self.samples.copy()).reshape(cover.shape)


def plane_views(frame: Frame, rect: Rect) -> Iterator[PlaneView]:
    """Yield `rect` in every plane of `frame`, luma first; chroma is rounded up at the right and lower border."""
    x0, y0, x1, y1 = rect
    pixel_format = frame.picture.pixel_format
    for index, plane in enumerate(frame.planes):
        shift_x, shift_y = (pixel_format.shift_x, pixel_format.shift_y) if index else (0, 0)
        rows = slice(y0 >> shift_y, -(-y1 >> shift_y))
        columns = slice(x0 >> shift_x, -(-x1 >> shift_x))
        yield PlaneView(plane[rows, columns], index, rect, pixel_format)


def to_full_range(luma: int, pixel_format: PixelFormat) -> int:
    """Return the full-range sample that looks like `luma` of 8-bit limited-range video (16 black, 235 white)."""
    share = min(max(luma - BLACK, 0) / (WHITE - BLACK), 1)
    return round(share * ((1 << pixel_format.bits) - 1))


def check_planes(frame: Frame) -> None:
    """Refuse planes that are not what `frame.picture` says: boxes would land beside their objects.

    Raises RedactionError.
    """
    expected = plane_shapes(frame.picture)
    shapes = tuple(plane.shape for plane in frame.planes)
    if shapes != expected:
        raise RedactionError(f"frame {frame.number}: planes are {shapes}, not {expected}")
    dtype = np.uint8 if frame.picture.pixel_format.bits == 8 else np.uint16
    if any(plane.dtype != dtype for plane in frame.planes):
        raise RedactionError(f"frame {frame.number}: samples are not {np.dtype(dtype).name}")


def plane_shapes(picture: PictureInfo) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each plane."""
    pixel_format = picture.pixel_format
    if pixel_format.color_model is not ColorModel.yuv:
        return ((picture.height, picture.width),) * pixel_format.plane_count
    chroma = (-(-picture.height >> pixel_format.shift_y), -(-picture.width >> pixel_format.shift_x))
    chromas: tuple[tuple[int, ...], ...] = ((*chroma, 2),) if pixel_format.interleaved else (chroma, chroma)
    return ((picture.height, picture.width), *chromas)
