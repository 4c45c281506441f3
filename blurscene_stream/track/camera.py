"""Watches the pictures of a stream: how the camera moved from one to the next, and where there is a cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Frame, Plane
from blurscene_stream.track.cuts import Cuts

Luma = NDArray[np.uint8]
Points = NDArray[np.float32]

SMALL_PX, COARSE_PX = 320, 160
"""About how long the longer side is of the picture whose motion is measured, and of the one that cuts are sought in."""

LEAST_POINTS = 12
LEAST_AGREEING = 0.33
"""Share of the points that must move as the camera does: in traffic half of them do, under a fisheye lens fewer."""

MOST_STANDING = 0.15
"""When this share of the points stands still while the others move, the camera may stand still as well and a lorry
pass before it."""

SAME_PX, SAME_SHARE, MOST_SAME_PX = 1.0, 1 / 3, 3.0
"""A point moves as the camera does when it ends this near, in pixels of the small picture or, for a large motion, as a
share of it, up to a limit: what is near moves more than what is far, the rim of a wide lens less than its middle."""

STANDING_PX = 0.3
"""What moves by less stands still."""

MOST_ZOOM = 1.25
"""No camera zooms by more from one picture to the next."""

CELL_PX, CORNER_PX = 24, 5
"""One corner is followed in each cell of this size, about 90 in a picture: what is large counts for much.
Whether it is a corner is seen in 5 x 5 pixels."""

LEAST_CORNER = 1e-4
"""Of OpenCV's smaller eigenvalue: steps of one or two shades along both sides of the corner."""

WINDOW_PX, LEVELS = 11, 3
"""Of the optical flow, which so follows a shift of a tenth of the picture."""

ENOUGH = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.03)
"""The flow of a point is found after 10 steps, or when one moves it by less than 0.03 pixels."""


@dataclass(frozen=True, slots=True)
class Step:
    """From the previous picture to this one: a point x, y there lies at scale * x + right, scale * y + down here.

    cut:         the two show different scenes, and there is no motion between them
    scale:       above 1 when things grow
    right, down: stored luma pixels
    """

    cut: bool
    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0


class Camera:
    """Watches one stream. The same pictures always give the same steps."""

    def __init__(self, motion: bool) -> None:
        """`motion` False: only cuts are looked for."""
        self._motion = motion
        self._before: Luma | None = None
        self._cuts = Cuts()

    def step(self, frame: Frame) -> Step:
        """From the picture of the last call to that of `frame`; the first one has no step: Step(cut=False).

        Where the motion is not certain there is none: scale 1, and no pixel right or down.
        """
        small, factor = shrunk(frame.planes[0], SMALL_PX)
        now = (small >> (frame.picture.pixel_format.bits - 8)).astype(np.uint8)
        before, self._before = self._before, now
        coarse, _ = shrunk(now, COARSE_PX)
        if self._cuts.cut(cast(Luma, coarse)):
            return Step(cut=True)
        moved = _motion(before, now) if self._motion and before is not None else None
        return Step(False, moved[0], moved[1] * factor, moved[2] * factor) if moved else Step(False)


def shrunk(plane: Plane, side_px: int) -> tuple[Plane, int]:
    """`plane` with a longer side of about `side_px`, by a whole number, which is fast; and that number.

    What is left over at the right and lower border is cut off. A smaller plane stays as it is.
    """
    height, width = plane.shape
    factor = max(1, round(max(height, width) / side_px))
    rows, columns = height // factor, width // factor
    if factor == 1 or not rows or not columns:
        return plane, 1
    whole = plane[: rows * factor, : columns * factor]
    return cast(Plane, cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)), factor


def _motion(before: Luma, now: Luma) -> tuple[float, float, float] | None:
    """Scale, right and down between two small pictures, in their pixels; None where it is not certain.

    Lucas and Kanade's optical flow (in pyramids: Bouguet 2001) of Shi and Tomasi's corners (1994).
    """
    corners = _corners(before)
    if len(corners) < LEAST_POINTS:
        return None
    flow, found, _ = cv2.calcOpticalFlowPyrLK(
        *(before, now, corners, np.empty_like(corners)),
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=LEVELS,
        criteria=ENOUGH,
    )
    seen = found.ravel() == 1
    if seen.sum() < LEAST_POINTS:
        return None
    middle = np.float32(0.5)  # OpenCV counts from the middle of the first pixel, boxes from its corner
    return _agreed(corners[seen] + middle, cast(Points, flow)[seen] + middle)


def _corners(picture: Luma) -> Points:
    """The best corner of each cell that has one, float32 (N, 2), x y."""
    rows, columns = picture.shape[0] // CELL_PX, picture.shape[1] // CELL_PX
    strength = cv2.cornerMinEigenVal(picture, CORNER_PX)[: rows * CELL_PX, : columns * CELL_PX]
    cells = strength.reshape(rows, CELL_PX, columns, CELL_PX).swapaxes(1, 2).reshape(rows * columns, CELL_PX * CELL_PX)
    cell, best = np.arange(rows * columns), cells.argmax(axis=1)
    x, y = cell % columns * CELL_PX + best % CELL_PX, cell // columns * CELL_PX + best // CELL_PX
    good = np.asarray(cells[cell, best] > LEAST_CORNER)
    return np.stack((x[good], y[good]), axis=1).astype(np.float32)


def _agreed(old: Points, new: Points) -> tuple[float, float, float] | None:
    """The motion that most points agree on, old to new; None when they are too few."""
    far = np.linalg.norm(new - old, axis=1)
    same_px = min(max(SAME_PX, SAME_SHARE * float(np.median(far))), MOST_SAME_PX)
    _, chosen = cv2.estimateAffinePartial2D(old, new, ransacReprojThreshold=same_px, refineIters=0)
    if chosen is None or chosen.sum() < LEAST_POINTS:
        return None
    scale, shift = _fitted(old[chosen.ravel() == 1], new[chosen.ravel() == 1])
    agreeing = np.linalg.norm(scale * old + shift - new, axis=1) < same_px
    standing = far < STANDING_PX
    if agreeing.mean() < LEAST_AGREEING or (standing & ~agreeing).mean() > MOST_STANDING:
        return None
    if not 1 / MOST_ZOOM < scale < MOST_ZOOM:
        return None
    return scale, float(shift[0]), float(shift[1])


def _fitted(old: Points, new: Points) -> tuple[float, Points]:
    """Scale and shift with the least squares of what is left over."""
    old_middle, new_middle = old.mean(axis=0), new.mean(axis=0)
    spread = old - old_middle
    scale = float((spread * (new - new_middle)).sum() / max(float((spread * spread).sum()), 1.0))
    return scale, new_middle - np.float32(scale) * old_middle
