"""Shot boundary detection: hard cuts, told from whatever else changes a picture.

After a cut no block of the picture before is left, neither in its place nor near by.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Frame, Plane

Luma = NDArray[np.uint8]
Values = NDArray[np.float32]
Chosen = NDArray[np.bool_]

SMALL_PX = 160
"""Longer side of the downscaled picture that is compared, about."""

BLOCK_PX = 16
"""It is compared in blocks of 16 x 16."""

MIN_BLOCKS = 12
"""A picture of fewer blocks is too small to be compared: no cut."""

MIN_CONTRAST = 4.0
"""Standard deviation of the luma in a textured block: one that shows something."""

MIN_TEXTURED = 0.2
"""Share of the blocks that must be textured. A white flash, a black picture between two scenes and a lens that is
covered are not: such a picture is left out, and the next one compared with the last that is."""

SAME_IN_PLACE = 0.5
"""Correlation of a block with the same place in the picture before, above which it is still there."""

SAME_NEAR_BY, NEAR_BY_PX = 0.8, 16
"""Correlation with the best place near by: stricter, since among a thousand places one is alike by chance."""

MAX_LEFT, MAX_LEFT_NEAR_BY = 0.35, 0.4
"""After a cut a smaller share of the blocks is still there in place, and near by."""

MIN_DROP, RECENT = 0.5, 5
"""After a cut the share in place is less than this part of the lowest among the recent ones: where a hand shakes the
camera, or it turns ever faster, little is left in place again and again."""

MIN_CHANGE = 5.0
"""Mean change of the blocks' brightness at a cut, apart from a change of the whole picture. Noise changes less."""


class ShotDetector:
    """Finds the hard cuts of one stream. The same pictures always give the same cuts."""

    def __init__(self) -> None:
        self._before: _Blocks | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)

    def is_cut(self, frame: Frame) -> bool:
        """Whether `frame` begins a new shot: it shows another scene than the last one that showed something."""
        small = _downscale(frame.planes[0], SMALL_PX)
        now = _Blocks.of((small >> (frame.picture.pixel_format.bits - 8)).astype(np.uint8))
        if len(now.textured) < MIN_BLOCKS or now.textured.mean() < MIN_TEXTURED:
            return False
        before, self._before = self._before, now
        if before is None:
            return False
        compared = now.textured & before.textured
        if compared.mean() < MIN_TEXTURED:
            return False
        left = _left_in_place(before.blocks, now.blocks, compared)
        cut = (
            left < min(MAX_LEFT, MIN_DROP * min(self._recent, default=1.0))
            and _change(before.blocks, now.blocks) > MIN_CHANGE
            and _left_near_by(before.picture, now.picture, compared) < MAX_LEFT_NEAR_BY
            and _left_shifted(before.picture, now.picture) < MAX_LEFT
        )
        if cut:
            self._recent.clear()
        else:
            self._recent.append(left)
        return cut


def _downscale(plane: Plane, side_px: int) -> Plane:
    """`plane` with a longer side of about `side_px`, by an integer factor, which is fast.

    What is left over at the right and lower border is cut off. A smaller plane stays as it is.
    """
    height, width = plane.shape
    factor = max(1, round(max(height, width) / side_px))
    rows, columns = height // factor, width // factor
    if factor == 1 or not rows or not columns:
        return plane
    whole = plane[: rows * factor, : columns * factor]
    return cast(Plane, cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """A picture (h, w), its blocks, and which of these are textured."""

    picture: Luma
    blocks: Values
    textured: Chosen

    @classmethod
    def of(cls, picture: Luma) -> _Blocks:
        blocks = _split_blocks(picture)
        return cls(picture, blocks, np.asarray(blocks.std(axis=1) > MIN_CONTRAST))


def _split_blocks(picture: Luma) -> Values:
    """The blocks of a picture, row by row, float32 (blocks, samples); what is left over at the border is left out."""
    rows, columns = picture.shape[0] // BLOCK_PX, picture.shape[1] // BLOCK_PX
    whole = picture[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    return whole.swapaxes(1, 2).reshape(rows * columns, BLOCK_PX * BLOCK_PX).astype(np.float32)


def _left_in_place(before: Values, now: Values, compared: Chosen) -> float:
    """The share of the compared blocks that are still in their place."""
    return float((_correlations(before, now)[compared] > SAME_IN_PLACE).mean())


def _left_shifted(before: Luma, now: Luma) -> float:
    """The share left in place after global motion compensation by phase correlation: for a fast pan."""
    window = cv2.createHanningWindow((now.shape[1], now.shape[0]), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(before.astype(np.float32), now.astype(np.float32), window)
    old, new = _Blocks.of(np.roll(before, (round(down), round(right)), axis=(0, 1))), _Blocks.of(now)
    return _left_in_place(old.blocks, new.blocks, new.textured)


def _correlations(before: Values, now: Values) -> Values:
    """Pearson correlation of each block with the one in its place; brightness and contrast do not matter."""
    before, now = before - before.mean(axis=1, keepdims=True), now - now.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(now, axis=1)
    return cast(Values, (before * now).sum(axis=1) / np.maximum(norms, np.float32(1)))


def _change(before: Values, now: Values) -> float:
    """Mean change of the blocks' brightness, apart from that of the whole picture."""
    changes = now.mean(axis=1) - before.mean(axis=1)
    return float(np.abs(changes - np.median(changes)).mean())


def _left_near_by(before: Luma, now: Luma, chosen: NDArray[np.bool_]) -> float:
    """The share of the chosen blocks of `now` that are in `before`, in their place or up to NEAR_BY_PX from it."""
    columns = now.shape[1] // BLOCK_PX
    found = []
    for block in np.flatnonzero(chosen).tolist():
        y, x = block // columns * BLOCK_PX, block % columns * BLOCK_PX
        around = before[
            max(0, y - NEAR_BY_PX) : y + BLOCK_PX + NEAR_BY_PX, max(0, x - NEAR_BY_PX) : x + BLOCK_PX + NEAR_BY_PX
        ]
        alike = cv2.matchTemplate(around, now[y : y + BLOCK_PX, x : x + BLOCK_PX], cv2.TM_CCOEFF_NORMED)
        found.append(cv2.minMaxLoc(alike)[1] > SAME_NEAR_BY)
    return float(np.mean(found))
