"""Scenes of things in all sizes, and a camera that shows parts of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import PICTURE_FORMATS, PIXEL_FORMATS, ColorModel, Frame, PictureInfo, Plane
from blurscene_stream.track.shot_detection import ShotDetector

Picture = NDArray[np.float32]
WIDTH, HEIGHT = 640, 360


def scene(seed: int, width: int = 1600, height: int = 800) -> Picture:
    """Luma 30..220, float32 (height, width): things of all sizes before one another, as in "dead leaves" pictures."""
    rng = np.random.default_rng(seed)
    made = np.full((height, width), 128, np.float32)
    for _ in range(2500):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = (int(8 / rng.uniform(0.08, 1)), int(8 / rng.uniform(0.08, 1)))
        luma = float(rng.uniform(30, 220))
        if rng.random() < 0.5:
            cv2.ellipse(made, centre, size, float(rng.uniform(0, 180)), 0, 360, luma, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(made, centre, (centre[0] + 2 * size[0], centre[1] + 2 * size[1]), luma, -1)
    return cast(Picture, cv2.GaussianBlur(made, (0, 0), 1.0))


def view(
    wide: Picture, x: float = 400, y: float = 200, zoom: float = 1.0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Picture:
    """What a camera sees with its upper left corner at x, y of the scene, everything `zoom` times as large."""
    to_scene = np.array([[1 / zoom, 0, x], [0, 1 / zoom, y]])
    to_scene[:, 2] += 0.5 / zoom - 0.5  # corners of pixels, not their middles, are zoomed
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cast(Picture, cv2.warpAffine(wide, to_scene, size, flags=flags, borderMode=cv2.BORDER_REFLECT))


def frame_of(picture: Picture, pixel_format: str = "yuv420p") -> Frame:
    """A frame with this luma, given in 8 bits, and no colour."""
    form = (PIXEL_FORMATS | PICTURE_FORMATS)[pixel_format]
    height, width = picture.shape
    samples = np.clip(np.round(picture * (1 << form.bits - 8)), 0, (1 << form.bits) - 1)
    luma: Plane = samples.astype(np.uint8) if form.bits == 8 else samples.astype(np.uint16)
    no_colour = np.full((-(-height >> form.shift_y), -(-width >> form.shift_x)), 1 << form.bits - 1, luma.dtype)
    others = form.plane_count - 1
    planes = (luma, *((no_colour if form.color_model is ColorModel.yuv else luma).copy() for _ in range(others)))
    return Frame(0, 0, PictureInfo(width, height, form), planes, _no_rgb, object())


def _no_rgb(width: int, height: int) -> NDArray[np.uint8]:
    raise AssertionError(f"the camera asked for a {width} x {height} RGB picture")


def cuts_in(pictures: Iterable[Picture], pixel_format: str = "yuv420p") -> list[int]:
    """Where a new scene begins."""
    shots = ShotDetector()
    return [number for number, picture in enumerate(pictures) if shots.is_cut(frame_of(picture, pixel_format))]
