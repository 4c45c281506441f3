"""Preprocessing: frames become batches of letterboxed network input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.detect.letterbox import Letterbox, Region
from blurscene_stream.frames import Frame

Rgb = NDArray[np.uint8]


class Sample(NamedTuple):
    """An image of a batch: a view of a frame; `stack_index`: its place among all views of all frames."""

    frame: Frame
    view: Letterbox
    stack_index: int


class Preprocessor:
    """Draws views of frames. What two in succession share, mirrored or not, is scaled once."""

    def __init__(self, pad_rgb: Sequence[int] = (0, 0, 0)) -> None:
        """`pad_rgb`: the colour of the padding."""
        self._pad_rgb = pad_rgb
        self._frame: Frame | None = None
        self._full: Rgb | None = None
        self._scaled: tuple[tuple[Region, tuple[int, int]], Rgb] | None = None

    def batch(self, samples: Sequence[Sample]) -> NDArray[np.uint8]:
        """Draw samples of one input size: RGB (len(samples), 3, H, W); in memory channels come last."""
        images = np.zeros((len(samples), samples[0].view.height, samples[0].view.width, 3), np.uint8)
        if any(self._pad_rgb):
            images[:] = self._pad_rgb
        for sample, out in zip(samples, images, strict=True):
            self.draw(sample.frame, sample.view, out)
        return images.transpose(0, 3, 1, 2)

    def draw(self, frame: Frame, view: Letterbox, out: Rgb) -> None:
        """Write `frame` into `out`, uint8 (view.height, view.width, 3), RGB. Padding is left as it is.

        Raises ValueError when the frame has another shape than the view was made for.
        """
        if frame.picture != view.picture:
            raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {view.picture}")
        if frame is not self._frame:
            self._frame, self._full, self._scaled = frame, None, None
        upright = view.orientation.upright(self._scale(frame, view))
        content = upright[:, ::-1] if view.mirrored else upright
        bottom, right = view.top + view.content_height, view.left + view.content_width
        out[view.top : bottom, view.left : right] = content

    def _scale(self, frame: Frame, view: Letterbox) -> Rgb:
        """The region as it is stored, at its size in the network's input: (height, width, 3)."""
        key = (view.region, view.stored_size)
        if self._scaled is None or self._scaled[0] != key:
            self._scaled = key, frame.scale_rgb(*view.stored_size) if view.is_whole else self._crop(frame, view)
        return self._scaled[1]

    def _crop(self, frame: Frame, view: Letterbox) -> Rgb:
        """From the picture at its full size: what was shrunk before has no more detail to show."""
        if self._full is None:
            self._full = frame.scale_rgb(view.picture.width, view.picture.height)
        x0, y0, x1, y1 = view.region
        return resize(self._full[y0:y1, x0:x1], *view.stored_size)


def resize(picture: Rgb, width: int, height: int) -> Rgb:
    """Resize a picture (H, W, 3): the mean of what each pixel covers where it shrinks, else bilinear."""
    shrinks = width < picture.shape[1] or height < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
