"""Remains in OUTPUT of what had to be covered: whole objects, parts of them, or too many cells of a mosaic."""

from __future__ import annotations

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import RedactConfig, RedactMethod
from blurscene_stream.redact import Region
from blurscene_stream.verify.frame_pair import (
    BLOCK_PX,
    MIN_CONTRAST,
    NEARER,
    WINDOW_PX,
    FramePair,
    Levels,
    Mask,
    shows,
    smoothed,
    window_means,
)
from blurscene_stream.verify.ghost import Ghosts, Window
from blurscene_stream.verify.picture_diff import CodecNoise
from blurscene_stream.verify.report import Check, Grade

MAX_CELLS = 6  # along the longer side of an object; more could be recognized
ABOVE_NOISE = 2.0  # times the usual error of the codec that a cover must have changed for a window to tell
UNCOVERED_SHARE, MIN_WINDOWS = 0.05, 3
"""A region is uncovered when so many of its telling windows are. Where a cover moves over what was seen in the frame
before, an encoder at crf 35 may leave a window or two as they were: 1.3 % of a region at most."""


class Residual:
    """Looks for hidden content that shows through, region by region.

    hidden: check of objects that can be recognized
    """

    def __init__(self, cover: Check, recorded: bool, noise: CodecNoise, redact: RedactConfig) -> None:
        """Prepare for the frames of one run.

        cover:    check that a part without its cover is reported to
        recorded: what must be covered is known from the run, not found anew
        noise:    of the codec, learned before each frame
        redact:   settings of the run
        """
        self.hidden = Check("residual")
        self._cover, self._noise, self._recorded = cover, noise, recorded
        self._is_mosaic = redact.method is RedactMethod.mosaic
        self._too_fine = redact.method is RedactMethod.blur and redact.cells > MAX_CELLS
        self._regions = 0
        self._ghosts = Ghosts()

    def add(self, pair: FramePair) -> None:
        """Check one more frame."""
        telling, uncovered = self._windows(pair) if pair.regions else (pair.covered, pair.covered)
        hidden = []
        for region in pair.regions:
            self._regions += 1
            if self._is_hidden(pair, region):
                hidden.append(region)
            self._check_cover(pair, region, telling, uncovered)
        for window in self._ghosts.add(pair, hidden, self._noise.level):
            self._report_ghost(window)

    def _is_hidden(self, pair: FramePair, region: Region) -> bool:
        """Report a region that shows what is in it in this very frame, and return False for it."""
        grade, finding = self._grade(pair.detections, region), "can still be seen"
        if _is_recognizable(pair, region) or self._ghosts.is_plain(pair, region, self._noise.level):
            pass
        elif region.index >= 0 and (self._too_fine or (self._is_mosaic and _cells(pair, region) > MAX_CELLS)):
            finding = f"has more than {MAX_CELLS} cells"
        else:
            return True
        x, y = (region.x0 + region.x1) // 2, (region.y0 + region.y1) // 2
        self.hidden.add(
            grade, f"{_name(pair.detections, region)} near x {x}, y {y} {finding}", pair.number, pair.time_s
        )
        return False

    def _report_ghost(self, window: Window) -> None:
        found, region = window.detections, window.region
        x, y = (region.x0 + region.x1) // 2, (region.y0 + region.y1) // 2
        text = f"{_name(found, region)} near x {x}, y {y} shines through its cover, here or in the frames before"
        self.hidden.add(self._grade(found, region), text, window.number, window.time_s)

    def _check_cover(self, pair: FramePair, region: Region, telling: Mask, uncovered: Mask) -> None:
        rows, columns = _windows_of(region)
        count = np.count_nonzero(uncovered[rows, columns])
        if count >= max(MIN_WINDOWS, UNCOVERED_SHARE * np.count_nonzero(telling[rows, columns])):
            row, column = np.argwhere(uncovered[rows, columns])[0]
            x, y = BLOCK_PX * (columns.start + int(column) + 1), BLOCK_PX * (rows.start + int(row) + 1)
            grade = self._noise.grade(Grade.fail if self._recorded else Grade.review)
            self._cover.add(grade, f"the picture near x {x}, y {y} is not covered", pair.number, pair.time_s)

    def _windows(self, pair: FramePair) -> tuple[Mask, Mask]:
        """Return the covered windows that tell whether they are covered, and those of them that are not."""
        expected, shown = pair.expected.luma, pair.shown.luma
        usual = self._noise.usual(pair.activity)
        changed = window_means((pair.before - expected) ** 2)
        telling = changed > np.maximum(MIN_CONTRAST, ABOVE_NOISE * usual) ** 2
        telling &= pair.covered_shares > 0.999
        from_input, from_expected = window_means((shown - pair.before) ** 2), window_means((shown - expected) ** 2)
        return telling, telling & (from_input < NEARER**2 * from_expected)

    def _grade(self, found: Detections, region: Region) -> Grade:
        """Return review for a box that tracking put there: tracking may choose another one each time."""
        if self._recorded or region.index < 0 or found.origins[region.index] == Origin.detected:
            return Grade.fail
        return Grade.review

    def finish(self) -> None:
        """Sum up."""
        for window in self._ghosts.finish(self._noise.level):
            self._report_ghost(window)
        self.hidden.summary = f"nothing shows through in {self._regions:,} covered areas"
        if self.hidden.found:
            self.hidden.summary = f"something shows through in {self._regions:,} covered areas"


def shows_detail(before: Levels, shown: Levels, longest_px: float) -> bool:
    """Return True when detail of INPUT finer than half a cell is shown, whatever the settings make of it.

    before, shown: a part of both pictures
    longest_px:    longer side of the object that it is a part of
    """
    if min(before.shape) < WINDOW_PX:  # a cell of so small an object may be as fine as that
        return False
    side = max(3, int(longest_px / (2 * MAX_CELLS)) | 1)
    detail = before - smoothed(before, side)
    return shows(shown - smoothed(shown, side), detail, np.zeros_like(detail))


def _is_recognizable(pair: FramePair, region: Region) -> bool:
    """Compare the object alone, without its margin."""
    if region.index < 0:
        return False
    x0, y0, x1, y1 = pair.detections.xyxy[region.index].round().astype(np.intp).tolist()
    part = np.s_[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    return shows_detail(pair.before[part], pair.shown.luma[part], max(x1 - x0, y1 - y0))


def _cells(pair: FramePair, region: Region) -> int:
    """Count the cells along a side of a mosaic, without noise: in the expected picture, which the cover check proves.

    Regions that others reach into are not counted.
    """
    if any(_overlap(region, other) for other in pair.regions if other is not region):
        return 1
    samples, mask = pair.expected.luma[_slices(region)], region.pixel_mask(pair.picture.pixel_format)
    counts = []
    for axis in (0, 1):
        inside = np.logical_and(*(mask.take(part, axis) for part in _neighbours(mask.shape[axis])))
        edges = ((np.diff(samples, axis=axis) != 0) & inside).any(axis=1 - axis)
        counts.append(1 + int(np.count_nonzero(edges)))
    return max(counts)


def _neighbours(length: int) -> tuple[range, range]:
    return range(length - 1), range(1, length)


def _overlap(one: Region, other: Region) -> bool:
    return other.x0 < one.x1 and one.x0 < other.x1 and other.y0 < one.y1 and one.y0 < other.y1


def _slices(region: Region) -> tuple[slice, slice]:
    return slice(region.y0, region.y1), slice(region.x0, region.x1)


def _windows_of(region: Region) -> tuple[slice, slice]:
    """Return the windows that lie in a region."""
    (top, bottom), (left, right) = (
        (-(-low // BLOCK_PX), high // BLOCK_PX - 1) for low, high in ((region.y0, region.y1), (region.x0, region.x1))
    )
    return slice(top, max(top, bottom)), slice(left, max(left, right))


def _name(found: Detections, region: Region) -> str:
    return "an area" if region.index < 0 else f"a {found.class_names[found.class_ids[region.index]].replace('_', ' ')}"
