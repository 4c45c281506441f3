"""The samples of one area of a picture, plane by plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.errors import RedactionError
from blurscene_stream.frames import ColorModel, Frame, PictureInfo, PixelFormat, Plane

Area = tuple[int, int, int, int]  # x0, y0, x1, y1 in luma pixels, half open; x0 and y0 are the first of a block
BLACK, WHITE = 16, 235  # luma of 8-bit video of limited range


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One plane's samples of an area.

    samples: the plane's own memory, (h, w) or, for interleaved chroma, (h, w, 2)
    plane:   which plane, in the order of Frame.planes
    area:    where it lies
    format:  of the picture
    """

    samples: Plane
    plane: int
    area: Area
    format: PixelFormat

    @property
    def is_alpha(self) -> bool:
        """True where the samples are opacity, not colour."""
        return self.format.alpha and self.plane == self.format.plane_count - 1

    def write(self, cover: Plane, mask: NDArray[np.bool_] | None) -> None:
        """Put `cover`, shaped like the samples, over them: where `mask` (one value a block) says, or everywhere."""
        if mask is None:
            self.samples[...] = cover
            return
        if self.plane == 0:
            mask = mask.repeat(1 << self.format.shift_y, axis=0).repeat(1 << self.format.shift_x, axis=1)
        rows, columns = self.samples.shape[:2]  # a mask of blocks may reach over an odd border
        chosen = np.ascontiguousarray(mask[:rows, :columns]).view(np.uint8)
        self.samples[...] = cv2.copyTo(cover, chosen, self.samples.copy()).reshape(cover.shape)


def windows(frame: Frame, area: Area) -> Iterator[Window]:
    """`area` in every plane of `frame`, luma first; chroma is rounded up at the right and lower border."""
    x0, y0, x1, y1 = area
    form = frame.picture.pixel_format
    for index, plane in enumerate(frame.planes):
        shift_x, shift_y = (form.shift_x, form.shift_y) if index else (0, 0)
        rows = slice(y0 >> shift_y, -(-y1 >> shift_y))
        columns = slice(x0 >> shift_x, -(-x1 >> shift_x))
        yield Window(plane[rows, columns], index, area, form)


def full_range(luma: int, form: PixelFormat) -> int:
    """The sample of a full-range `form` that looks like `luma` of 8-bit video, where 16 is black and 235 is white."""
    share = min(max(luma - BLACK, 0) / (WHITE - BLACK), 1)
    return round(share * ((1 << form.bits) - 1))


def check_planes(frame: Frame) -> None:
    """Refuse planes that are not what `frame.picture` says: boxes would land beside their objects.

    Raises RedactionError.
    """
    expected = plane_shapes(frame.picture)
    found = tuple(plane.shape for plane in frame.planes)
    if found != expected:
        raise RedactionError(f"frame {frame.number}: planes are {found}, not {expected}")
    dtype = np.uint8 if frame.picture.pixel_format.bits == 8 else np.uint16
    if any(plane.dtype != dtype for plane in frame.planes):
        raise RedactionError(f"frame {frame.number}: samples are not {np.dtype(dtype).name}")


def plane_shapes(picture: PictureInfo) -> tuple[tuple[int, ...], ...]:
    """The shape of each plane of `picture`."""
    form = picture.pixel_format
    if form.color_model is not ColorModel.yuv:
        return ((picture.height, picture.width),) * form.plane_count
    chroma = (-(-picture.height >> form.shift_y), -(-picture.width >> form.shift_x))
    chromas: tuple[tuple[int, ...], ...] = ((*chroma, 2),) if form.interleaved else (chroma, chroma)
    return ((picture.height, picture.width), *chromas)
