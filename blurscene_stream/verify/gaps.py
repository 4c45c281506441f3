"""Where OUTPUT shows what INPUT shows, although it must be covered: a box that lies elsewhere, or was left out.

A codec's error has nothing to do with what was covered. So a window in which the error is what the cover took away can
be told from others even where the codec loses much, and several of them in one region are no chance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from blurscene_stream.redact import Region
from blurscene_stream.verify.levels import BLOCK_PX, Mask, window_means
from blurscene_stream.verify.loss import Loss
from blurscene_stream.verify.moment import Moment
from blurscene_stream.verify.report import Check, Grade

SHOWN, NEARER = 0.6, 0.6
"""How far a window is as in INPUT (0: as redacted, 1: as in INPUT), and how much nearer to INPUT, to count."""
LEAST_TAKEN, PER_LOSS = 5.0, 8.0  # levels that the cover changes, at least; more where the codec loses more
LEAST_WINDOWS, SHARE = 3, 0.1  # of a region that must be uncovered to count
MOST_WINDOWS, WINDOWS_PER_LOSS = 4, 8
"""So many are enough in the largest region. In honest videos at crf 35, where covers move over what was seen in the
frame before, a region had 6 of 446 at most; at crf 20 none."""
TOGETHER = 8  # frames
LEAST_TOGETHER, SHARE_TOGETHER = 12, 0.02  # 0.003 in honest videos at crf 35, 0 at crf 20

Slices = tuple[slice, slice]


class Gaps:
    """Looks for covers that are missing or lie elsewhere."""

    def __init__(self, check: Check, wrong: Grade, loss: Loss) -> None:
        """`check`: where it is told; `wrong`: what a gap means; `loss`: of the codec, as it was learned so far."""
        self._check, self._wrong, self._loss = check, wrong, loss
        self._last = deque[tuple[int, int]](maxlen=TOGETHER)  # uncovered windows, and all that tell it

    def look(self, moment: Moment) -> None:
        """One moment more."""
        if not moment.regions:
            return
        frame = _around(moment.regions)
        counts, seen = self._uncovered(moment, frame)
        self._add_up(moment, int(np.count_nonzero(seen)), int(np.count_nonzero(counts)))
        for region in moment.regions:
            part = _windows_of(region, frame)
            enough = min(SHARE * np.count_nonzero(counts[part]), MOST_WINDOWS + WINDOWS_PER_LOSS * self._loss.worst)
            if np.count_nonzero(seen[part]) >= max(LEAST_WINDOWS, enough):
                row, column = np.argwhere(seen[part])[0]
                x, y = region.x0 + BLOCK_PX * int(column + 1), region.y0 + BLOCK_PX * int(row + 1)
                text = f"the picture near x {x}, y {y} is not covered"
                self._check.add(self._loss.grade(self._wrong), text, moment.number, moment.time_s)

    def _add_up(self, moment: Moment, seen: int, counts: int) -> None:
        """Too few windows in each frame are no chance either, when they are there in one frame after the other."""
        self._last.append((seen, counts))
        uncovered, told = (sum(each) for each in zip(*self._last, strict=True))
        if len(self._last) == TOGETHER and uncovered > max(LEAST_TOGETHER, SHARE_TOGETHER * told):
            text = f"a part of what must be covered is not, in the {TOGETHER} frames up to this one"
            self._check.add(self._loss.grade(self._wrong), text, moment.number, moment.time_s)
            self._last.clear()

    def _uncovered(self, moment: Moment, frame: Slices) -> tuple[Mask, Mask]:
        """Windows of a part of the picture that tell whether they are covered, and those of them that are not."""
        hidden = moment.hidden.luma[frame]
        taken, off = moment.before[frame] - hidden, moment.shown.luma[frame] - hidden
        there, wrong, both = (window_means(each, 1) for each in (taken * taken, off * off, off * taken))
        least = max(LEAST_TAKEN, PER_LOSS * self._loss.value)
        counts = (there > least * least) & (window_means(moment.covered[frame].astype(np.float32), 1) > 0.999)
        left = wrong - 2 * both + there  # the mean square of what OUTPUT is off INPUT
        return counts, counts & (left < NEARER**2 * wrong) & (both > SHOWN * there)


def _around(regions: Sequence[Region]) -> Slices:
    """The rows and columns of pixels in which all regions lie, from the beginning of a block on."""
    low = [min(edges) // BLOCK_PX * BLOCK_PX for edges in ([one.y0 for one in regions], [one.x0 for one in regions])]
    high = [max(edges) for edges in ([one.y1 for one in regions], [one.x1 for one in regions])]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _windows_of(region: Region, frame: Slices) -> Slices:
    """The windows of `frame` that begin in a region, but for those that reach out of it."""
    (top, bottom), (left, right) = (
        ((low - start) // BLOCK_PX, (high - start) // BLOCK_PX - 1)
        for low, high, start in ((region.y0, region.y1, frame[0].start), (region.x0, region.x1, frame[1].start))
    )
    return slice(top, max(top + 1, bottom)), slice(left, max(left + 1, right))
