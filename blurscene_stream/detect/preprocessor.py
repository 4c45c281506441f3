"""Preprocessing: frames become batches of letterboxed network input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Orientation
from blurscene_stream.detect.letterbox import Letterbox, Region
from blurscene_stream.frames import Frame

Rgb = NDArray[np.uint8]

_SHRINKS = (2, 4, 8)  # factors by which a view is made of a larger one: halved once, twice or three times


class Sample(NamedTuple):
    """An image of a batch: a view of a frame; `stack_index`: its place among all views of all frames."""

    frame: Frame
    view: Letterbox
    stack_index: int


class Look(NamedTuple):
    """What two views may differ in by their size alone."""

    frame: Frame
    region: Region
    orientation: Orientation
    mirrored: bool


class Drawer(Protocol):
    """Draws samples as input of a network, on one thread."""

    def batch(self, samples: Sequence[Sample], pad_rgb: tuple[int, int, int] = (0, 0, 0)) -> Any:
        """Draw samples of one input size: RGB uint8 (len(samples), 3, H, W); in memory channels come last.

        pad_rgb: the colour of the padding
        The result is overwritten by the second call after this one.
        """

    def forget(self) -> None:
        """Let go of all frames."""


class Preprocessor:
    """`Drawer` in main memory, which it keeps: a frame's worth of it is slow to get anew.

    What two views in succession share, mirrored or not, is scaled once, and a view that is exactly 2, 4 or 8 times as
    small as one of the batch before is averaged from that.
    """

    def __init__(self) -> None:
        self._memory = [np.empty(0, np.uint8)] * 2  # of the batch before and of the next one
        self.forget()

    def forget(self) -> None:
        """See `Drawer`."""
        self._frame: Frame | None = None
        self._full: Rgb | None = None
        self._scaled: tuple[tuple[Region, tuple[int, int]], Rgb] | None = None
        self._drawn: dict[Look, Rgb] = {}

    def batch(self, samples: Sequence[Sample], pad_rgb: tuple[int, int, int] = (0, 0, 0)) -> NDArray[np.uint8]:
        """See `Drawer`."""
        images = self._take(len(samples), samples[0].view.height, samples[0].view.width, 3)
        drawn: dict[Look, Rgb] = {}
        for sample, out in zip(samples, images, strict=True):
            _pad(sample.view, out, pad_rgb)
            self.draw(sample.frame, sample.view, out)
            drawn[look_of(sample.frame, sample.view)] = _content(sample.view, out)
        self._drawn = drawn
        return images.transpose(0, 3, 1, 2)

    def draw(self, frame: Frame, view: Letterbox, out: Rgb) -> None:
        """Write `frame` into `out`, uint8 (view.height, view.width, 3), RGB. Padding is left as it is.

        Raises ValueError when the frame has another shape than the view was made for.
        """
        if frame.picture != view.picture:
            raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {view.picture}")
        larger = self._drawn.get(look_of(frame, view))
        if larger is not None and (times := halvings(larger.shape[:2], view)):
            _content(view, out)[...] = _halved(larger, times)
            return
        if frame is not self._frame:
            self._frame, self._full, self._scaled = frame, None, None
        upright = view.orientation.upright(self._scale(frame, view))
        _content(view, out)[...] = upright[:, ::-1] if view.mirrored else upright

    def _take(self, *shape: int) -> Rgb:
        """Memory of the batch before last."""
        size = int(np.prod(shape))
        memory = self._memory.pop(0)
        self._memory.append(memory if len(memory) >= size else np.empty(size, np.uint8))
        return self._memory[-1][:size].reshape(shape)

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


def look_of(frame: Frame, view: Letterbox) -> Look:
    """Return what a view of a frame shows, whatever its size."""
    return Look(frame, view.region, view.orientation, view.mirrored)


def _pad(view: Letterbox, out: Rgb, pad_rgb: tuple[int, int, int]) -> None:
    """Fill what is beside the content: above, below, left and right of it."""
    bottom, right = view.top + view.content_height, view.left + view.content_width
    for part in (out[: view.top], out[bottom:], out[:, : view.left], out[:, right:]):
        part[...] = pad_rgb


def _content(view: Letterbox, out: Rgb) -> Rgb:
    """The part of `out` that shows the picture."""
    return out[view.top : view.top + view.content_height, view.left : view.left + view.content_width]


def halvings(size: Sequence[int], view: Letterbox) -> int:
    """How often a content of that height and width must be halved to be that of `view`; 0: it is not exactly so."""
    fits = [tuple(size) == (view.content_height * times, view.content_width * times) for times in _SHRINKS]
    return fits.index(True) + 1 if True in fits else 0


def _halved(picture: Rgb, times: int) -> Rgb:
    """The means of 2 x 2 pixels (H, W, 3), `times` times: four times as fast as means of more pixels at once."""
    for _ in range(times):
        picture = resize(picture, picture.shape[1] // 2, picture.shape[0] // 2)
    return picture


def resize(picture: Rgb, width: int, height: int) -> Rgb:
    """Resize a picture (H, W, 3): the mean of what each pixel covers where it shrinks, else bilinear."""
    shrinks = width < picture.shape[1] or height < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
