"""Frames of a video that span few levels of luma, shown with their contrast raised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blurscene_stream.frames import PICTURE_FORMATS, Frame
from blurscene_stream.image.samples import DecodedImage, level_span

FAINT_SHARE = 0.1  # of all levels of luma: a frame that spans fewer is faint; docs/accuracy.md says what that gives
TAIL = 0.01  # share of the darkest pixels, and of the brightest, that do not count: lamps, the clock of a camera
STEP_PX = 8  # every so many rows and columns are counted


def stretched(frame: Frame) -> Frame | None:
    """Return the luma of a faint frame as a grey one of full contrast; None for any other, and for a flat one."""
    luma, levels = frame.planes[0], 1 << frame.picture.pixel_format.bits
    low, high = level_span(luma[::STEP_PX, ::STEP_PX], TAIL)
    if frame.corrupt or low == high or high - low >= FAINT_SHARE * levels:
        return None
    table = ((np.arange(levels) - low) * (255 / (high - low))).clip(0, 255).round().astype(np.uint8)
    grey = table[luma]
    (shown, *_) = DecodedImage(grey[:, :, None], "array", lossless=True).frames()
    picture = replace(frame.picture, pixel_format=PICTURE_FORMATS["gray"], full_range=True)
    return replace(frame, picture=picture, planes=(grey,), scale_rgb=shown.scale_rgb, native=shown.native, own=None)
