"""Tells a cut from all else that changes a picture: after a cut nothing is left of the picture before, nor near by."""

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
"""About how long the longer side is of the picture that is judged."""

BLOCK_PX = 16
"""It is judged in blocks of 16 x 16."""

LEAST_BLOCKS = 12
"""A picture of fewer blocks is too small to be judged: no cut."""

LEAST_CONTRAST = 4.0
"""Standard deviation of the luma in a block that shows something."""

LEAST_SHOWING = 0.2
"""Share of the blocks that must show something. A white flash, a black picture between two scenes and a lens that is
covered do not: such a picture is left out, and the next one compared with the last that does."""

SAME_IN_PLACE = 0.5
"""Correlation of a block with the same place in the picture before, above which it is still there."""

SAME_NEAR_BY, NEAR_BY_PX = 0.8, 16
"""Correlation with the best place near by: stricter, since among a thousand places one is alike by chance."""

MOST_LEFT, MOST_LEFT_NEAR_BY = 0.35, 0.4
"""After a cut a smaller share of the blocks is still there in place, and near by."""

LEAST_DROP, RECENT = 0.5, 5
"""After a cut the share in place is less than this part of the lowest among the recent ones: where a hand shakes the
camera, or it turns ever faster, little is left in place again and again."""

LEAST_CHANGE = 5.0
"""Mean change of the blocks' brightness at a cut, apart from a change of the whole picture. Noise changes less."""


class Cuts:
    """Watches the pictures of one stream."""

    def __init__(self) -> None:
        self._before: _Seen | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)

    def cut(self, frame: Frame) -> bool:
        """Whether `frame` shows another scene than the last one that showed something."""
        small = shrunk(frame.planes[0], SMALL_PX)
        now = _Seen.of((small >> (frame.picture.pixel_format.bits - 8)).astype(np.uint8))
        if len(now.showing) < LEAST_BLOCKS or now.showing.mean() < LEAST_SHOWING:
            return False
        before, self._before = self._before, now
        if before is None:
            return False
        judged = now.showing & before.showing
        if judged.mean() < LEAST_SHOWING:
            return False
        left = _left_in_place(before.blocks, now.blocks, judged)
        cut = (
            left < min(MOST_LEFT, LEAST_DROP * min(self._recent, default=1.0))
            and _change(before.blocks, now.blocks) > LEAST_CHANGE
            and _left_near_by(before.picture, now.picture, judged) < MOST_LEFT_NEAR_BY
            and _left_shifted(before.picture, now.picture) < MOST_LEFT
        )
        if cut:
            self._recent.clear()
        else:
            self._recent.append(left)
        return cut


def shrunk(plane: Plane, side_px: int) -> Plane:
    """`plane` with a longer side of about `side_px`, by a whole number, which is fast.

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
class _Seen:
    """A picture (h, w), its blocks, and which of these show something."""

    picture: Luma
    blocks: Values
    showing: Chosen

    @classmethod
    def of(cls, picture: Luma) -> _Seen:
        blocks = _blocks(picture)
        return cls(picture, blocks, np.asarray(blocks.std(axis=1) > LEAST_CONTRAST))


def _blocks(picture: Luma) -> Values:
    """The blocks of a picture, row by row, float32 (blocks, samples); what is left over at the border is left out."""
    rows, columns = picture.shape[0] // BLOCK_PX, picture.shape[1] // BLOCK_PX
    whole = picture[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    return whole.swapaxes(1, 2).reshape(rows * columns, BLOCK_PX * BLOCK_PX).astype(np.float32)


def _left_in_place(before: Values, now: Values, judged: Chosen) -> float:
    return float((_correlations(before, now)[judged] > SAME_IN_PLACE).mean())


def _left_shifted(before: Luma, now: Luma) -> float:
    """The share left in place when the whole picture before is shifted to where it fits best: for a fast pan."""
    window = cv2.createHanningWindow((now.shape[1], now.shape[0]), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(before.astype(np.float32), now.astype(np.float32), window)
    old, new = _Seen.of(np.roll(before, (round(down), round(right)), axis=(0, 1))), _Seen.of(now)
    return _left_in_place(old.blocks, new.blocks, new.showing)


def _correlations(before: Values, now: Values) -> Values:
    """Pearson's correlation of each block with the one in its place; brightness and contrast do not matter."""
    before, now = before - before.mean(axis=1, keepdims=True), now - now.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(now, axis=1)
    return cast(Values, (before * now).sum(axis=1) / np.maximum(norms, np.float32(1)))


def _change(before: Values, now: Values) -> float:
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
