"""Is what was covered gone?"""

from __future__ import annotations

import numpy as np

from blurscene_stream.boxes import Origin
from blurscene_stream.redact import Region
from blurscene_stream.verify.detail import LEAST_DETAIL, detail
from blurscene_stream.verify.edges import CELLS, too_many_cells
from blurscene_stream.verify.levels import Levels
from blurscene_stream.verify.loss import Loss
from blurscene_stream.verify.moment import Moment
from blurscene_stream.verify.report import Check, Grade

LEAST_COVERED_PX = 64
LEAST_COUNTED_PX, BORDER_PX = 64, 2
SHOWN, NEARER = 0.6, 0.7
"""How far a region is as it was, and how much nearer to what it was than to what it must be."""


class Hiding:
    """Looks for what shows through, region by region.

    check: what was found
    """

    def __init__(self, recorded: bool, loss: Loss) -> None:
        """`recorded`: what must be covered is known from a run, not found anew; `loss`: of the codec."""
        self._loss = loss
        self.check = Check("hidden")
        self._recorded = recorded
        self._looked = 0

    def look(self, moment: Moment) -> None:
        """One moment more."""
        for region in moment.regions:
            self._looked += 1
            how, surely = self._seen(moment, region)
            if how:
                x, y = (region.x0 + region.x1) // 2, (region.y0 + region.y1) // 2
                text = f"{_named(moment, region)} near x {x}, y {y} {how}"
                grade = self._grade(moment, region) if surely else Grade.review
                self.check.add(grade, text, moment.number, moment.time_s)

    def _seen(self, moment: Moment, region: Region) -> tuple[str, bool]:
        """What is wrong with a region, in words, nothing when nothing is; and whether it cannot be the encoder's."""
        is_object, tells = region.index >= 0, self._loss.tells
        if is_object and _recognizable(moment, region.index):
            return "can still be seen", True
        if _as_before(moment, region):
            return "can still be seen", tells
        if tells and is_object and _alone(moment, region) and too_many_cells(_inner(moment, region), self._loss.worst):
            return f"has more than {CELLS} cells", True
        return "", True

    def _grade(self, moment: Moment, region: Region) -> Grade:
        """A box that tracking put there may be another one each time objects are looked for."""
        if self._recorded or region.index < 0 or moment.detections.origins[region.index] == Origin.detected:
            return Grade.fail
        return Grade.review

    def finish(self) -> None:
        """Sum up."""
        self.check.summary = f"nothing shows through in {self._looked:,} covered areas"
        if self.check.found:
            self.check.summary = f"{self.check.found:,} of {self._looked:,} covered areas can be looked through"


def _named(moment: Moment, region: Region) -> str:
    found = moment.detections
    return "an area" if region.index < 0 else f"a {found.class_names[found.class_ids[region.index]].replace('_', ' ')}"


def _as_before(moment: Moment, region: Region) -> bool:
    """True when a region looks like INPUT, and not like its redaction."""
    part = np.s_[region.y0 : region.y1, region.x0 : region.x1]
    mask = region.pixel_mask(moment.picture.pixel_format)
    before, hidden, shown = (each[part][mask] for each in (moment.before, moment.hidden.luma, moment.shown.luma))
    taken, off = before - hidden, shown - hidden
    there = float((taken * taken).mean())
    if len(taken) < LEAST_COVERED_PX or there < LEAST_DETAIL**2:
        return False
    left = shown - before
    nearer = float((left * left).mean()) < NEARER**2 * float((off * off).mean())
    return nearer and float((off * taken).mean()) / there > SHOWN


def _alone(moment: Moment, region: Region) -> bool:
    """True for a region that is large enough for cells to be counted, and that no other one reaches into."""
    if min(region.x1 - region.x0, region.y1 - region.y0) < LEAST_COUNTED_PX:
        return False
    return not any(
        other.x0 < region.x1 and region.x0 < other.x1 and other.y0 < region.y1 and region.y0 < other.y1
        for other in moment.regions
        if other is not region
    )


def _inner(moment: Moment, region: Region) -> Levels:
    rows, columns = (
        (low + BORDER_PX, high - BORDER_PX) for low, high in ((region.y0, region.y1), (region.x0, region.x1))
    )
    return moment.shown.luma[slice(*rows), slice(*columns)]


def _recognizable(moment: Moment, index: int) -> bool:
    """True when the detail of an object is left; its margin is not looked at."""
    x0, y0, x1, y1 = moment.detections.xyxy[index].round().astype(np.intp).tolist()
    part = np.s_[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    return detail(moment.before[part], moment.shown.luma[part], max(x1 - x0, y1 - y0)).left
