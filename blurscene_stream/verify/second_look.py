"""The detector looks at OUTPUT again, otherwise than a run does, for anything that was left."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from blurscene_stream.boxes import Boxes, Detections, iou
from blurscene_stream.config.schema import Settings, VariantsConfig
from blurscene_stream.pipeline.judge import LoadDetector, judge
from blurscene_stream.verify.detail import detail
from blurscene_stream.verify.levels import Mask
from blurscene_stream.verify.moment import Moment
from blurscene_stream.verify.report import Check, Grade
from blurscene_stream.verify.tiles import Cutter, Rgb

THRESHOLD = 0.75  # of the class's own
SCALES = (0.8, 0.4)  # of those of a run
COVERED = 0.5  # share of a finding; a mosaic may look like a face, and its margin is there for that
MOST_TILES = 48
SAME_IOU = 0.3
MOST_APART = 5  # looks that a suspect may be missed and is the same one still
LEAST_FRAMES = 3
"""What stays below its class's own threshold must be seen in so many looks: hands and signs flicker, faces stay."""


@dataclass(slots=True, eq=False)
class Suspect:
    """Something in OUTPUT that may have to be covered, over time.

    frame, time_s, label, score, box: where it was surest; box in stored pixels
    frames:  in how many of the frames that were looked at it is
    tile:    its surroundings there; None when there are too many suspects
    """

    frame: int
    time_s: float
    label: str
    score: float
    box: Boxes
    frames: int
    tile: Rgb | None

    def as_dict(self) -> dict[str, object]:
        """The suspect for a machine."""
        corners = [round(float(edge), 1) for edge in self.box]
        return {
            "frame": self.frame,
            "time_s": round(self.time_s, 6),
            "label": self.label,
            "score": round(self.score, 4),
            "xyxy": corners,
            "frames": self.frames,
        }


def sharper(settings: Settings) -> Settings:
    """Settings that look otherwise than those of a run: at other sizes, mirrored too, with lower thresholds."""
    made = copy.deepcopy(settings)
    for one in made.classes.values():
        one.threshold *= THRESHOLD
    old = made.detect.variants
    scales = [each * factor for each in old.scales[:1] for factor in SCALES]
    made.detect.variants = VariantsConfig(True, old.enlarged_regions_n, old.region_overlap, scales)
    made.track.use = False
    return made


class SecondLook:
    """Looks at each n-th frame of OUTPUT, and follows what it finds there.

    check:    what was found
    suspects: all that count, in the order in which they came; some that may still come to count before `finish`
    """

    def __init__(self, settings: Settings, every: int, load_detector: LoadDetector) -> None:
        self.check = Check("look")
        self.suspects: list[Suspect] = []
        self._detector = load_detector(sharper(settings))
        self._cutter = Cutter(settings, self._detector.classes)
        self._thresholds = {name: one.threshold for name, one in settings.classes.items()}
        self._every = every
        self._least = max(1, LEAST_FRAMES // every)
        self._looks = self._weak = 0
        self._open: list[tuple[Suspect, Boxes, int]] = []  # with its last box, and when it was seen

    def look(self, moment: Moment) -> None:
        """One moment more."""
        if moment.number % self._every:
            return
        self._looks += 1
        (found,) = judge([moment.frame], self._detector)
        found = found.confident()
        left = np.array([self._is_left(moment, box) for box in found.xyxy], np.bool_)
        self._let_go(MOST_APART)
        for index in np.flatnonzero(left).tolist():
            self._follow(moment, found, index)

    def _let_go(self, apart: int) -> None:
        """Follow no more what was not seen for more than `apart` looks, and forget it if it does not count."""
        gone = [suspect for suspect, _, seen in self._open if self._looks - seen > apart]
        self._open = [one for one in self._open if self._looks - one[2] <= apart]
        weak = [suspect for suspect in gone if not self._counts(suspect)]
        self.suspects = [suspect for suspect in self.suspects if suspect not in weak]
        self._weak += len(weak)

    def _counts(self, suspect: Suspect) -> bool:
        return suspect.score >= self._thresholds.get(suspect.label, 0) or suspect.frames >= self._least

    def _is_left(self, moment: Moment, box: Boxes) -> bool:
        """True for what is not covered, or is and can still be seen."""
        x0, y0, x1, y1 = box.round().astype(np.intp).clip(0).tolist()
        part = np.s_[y0:y1, x0:x1]
        covered: Mask = moment.covered[part]
        if not covered.size:
            return False
        if covered.mean() < COVERED:
            return True
        return detail(moment.before[part], moment.shown.luma[part], max(x1 - x0, y1 - y0)).left

    def _follow(self, moment: Moment, found: Detections, index: int) -> None:
        label, box = found.class_names[found.class_ids[index]], found.xyxy[index]
        for place, (suspect, last, _) in enumerate(self._open):
            if suspect.label == label and float(iou(box[None], last[None])[0, 0]) > SAME_IOU:
                self._open[place] = suspect, box, self._looks
                suspect.frames += 1
                if found.scores[index] > suspect.score:
                    self._update(suspect, moment, found, index)
                return
        suspect = Suspect(moment.number, moment.time_s, label, 0.0, box, 1, None)
        self._update(suspect, moment, found, index)
        self.suspects.append(suspect)
        self._open.append((suspect, box, self._looks))

    def _update(self, suspect: Suspect, moment: Moment, found: Detections, index: int) -> None:
        """It is surest here, so far."""
        suspect.frame, suspect.time_s = moment.number, moment.time_s
        suspect.score, suspect.box = float(found.scores[index]), found.xyxy[index]
        tiles = sum(one.tile is not None and self._counts(one) for one in self.suspects)
        if suspect.tile is None and tiles >= MOST_TILES:
            return
        suspect.tile = self._cutter.cut(moment.frame, found, index)

    def finish(self) -> None:
        """Sum up."""
        self._let_go(-1)
        for one in self.suspects:
            x, y = (one.box[:2] + one.box[2:]) / 2
            what = one.label.replace("_", " ")
            text = f"may show a {what} near x {x:.0f}, y {y:.0f} (score {one.score:.2f}, in {one.frames} of the frames)"
            self.check.add(Grade.review, text, one.frame, one.time_s)
        count = len(self.suspects)
        self.check.summary = f"{self._looks:,} frames of OUTPUT, {count or 'no'} suspect{'' if count == 1 else 's'}"
        if self._weak:
            self.check.summary += f"; {self._weak:,} weak and too short to count"
