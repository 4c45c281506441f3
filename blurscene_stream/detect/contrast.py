"""Frames of a video that span few levels of luma, or do so in a dark part, shown with their contrast raised."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import PICTURE_FORMATS, Frame
from blurscene_stream.levels import dark_span, level_span, stretch_table

FAINT_SHARE = 0.1  # of all levels of luma: a frame that spans fewer is faint; docs/accuracy.md says what that gives
TAIL = 0.01  # share of the darkest pixels, and of the brightest, that do not count: lamps, the clock of a camera
STEP_PX = 8  # every so many rows and columns are counted

Gray = NDArray[np.uint8]


def stretched(frame: Frame) -> Frame | None:
    """Return the luma of a faint frame, or of one with a dark part, as a grey one of full contrast there.

    None for any other, and for a flat one. It is for a detector alone: its native picture is that of `frame`.
    """
    span = None if frame.corrupt else _faint_span(frame)
    if span is None:
        return None
    luma = frame.planes[0]
    gray = stretch_table(*span, 1 << frame.picture.pixel_format.bits)[luma]
    picture = replace(frame.picture, pixel_format=PICTURE_FORMATS["gray"], full_range=True)
    return replace(frame, picture=picture, planes=(gray,), scale_rgb=partial(_scaled, gray), own=None)


def _faint_span(frame: Frame) -> tuple[int, int] | None:
    """Return the levels to spread: those of a faint frame, else those of its dark parts."""
    luma, levels = frame.planes[0][::STEP_PX, ::STEP_PX], 1 << frame.picture.pixel_format.bits
    low, high = level_span(luma, TAIL)
    if high - low < FAINT_SHARE * levels:
        return (low, high) if low < high else None
    return dark_span(luma, levels, 0 if frame.picture.full_range else levels // 16)


def _scaled(gray: Gray, width: int, height: int) -> NDArray[np.uint8]:
    """Scale a plane (h, w); return it as RGB (height, width, 3)."""
    shrunk = width < gray.shape[1]
    made = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR)
    return np.repeat(made[:, :, None], 3, axis=2)
