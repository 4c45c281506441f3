"""Reads the pictures of data sets as frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.errors import SourceError
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_frame(file: Path, number: int, size: tuple[int, int] | None) -> Frame:
    """The picture, in stored pixels; as it stands upright where only then it has the `size` (w, h) of its labels.

    Raises SourceError when it cannot be read, or is not of that size either way.
    """
    for flags in (STORED, cv2.IMREAD_COLOR):
        bgr = cv2.imread(str(file), flags)
        if bgr is None:
            raise SourceError(f"{file}: is not a picture that can be read")
        height, width = bgr.shape[:2]
        if size in (None, (width, height)):
            return frame_of(np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8), number)
    stated = "x".join(map(str, size or ()))
    raise SourceError(f"{file}: is {width}x{height}, but its labels are for {stated}")


def frame_of(rgb: NDArray[np.uint8], number: int) -> Frame:
    """A frame that shows `rgb`, uint8 (H, W, 3); its planes are empty of meaning.

    4:4:4, so that a region is not rounded outwards to blocks: nothing is covered by that luck.
    """
    height, width = rgb.shape[:2]

    def scale_rgb(to_width: int, to_height: int) -> NDArray[np.uint8]:
        method = cv2.INTER_AREA if to_width < width else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(rgb, (to_width, to_height), interpolation=method), np.uint8)

    planes = tuple(np.zeros((height, width), np.uint8) for _ in range(3))
    return Frame(number, number, PictureInfo(width, height, PIXEL_FORMATS["yuv444p"]), planes, scale_rgb, None)
