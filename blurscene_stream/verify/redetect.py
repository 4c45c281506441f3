"""Second detection: the detector runs on OUTPUT, with more sensitive settings, for anything that was left."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from blurscene_stream.boxes import Boxes, Detections, iou, match_greedily
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.pipeline.detection import LoadDetector, detect_frames
from blurscene_stream.pipeline.faint_frames import with_faint_frames
from blurscene_stream.verify.contact_sheet import Suspect, TileCutter
from blurscene_stream.verify.frame_pair import FramePair
from blurscene_stream.verify.report import Check, Grade
from blurscene_stream.verify.residual import shows_detail

THRESHOLD_RATIO = 0.75  # of the class's own threshold
SCALES = (0.7, 0.3)  # of those of a run: together less work than its own
COVERED_SHARE = 0.5  # of a detection; a mosaic may look like a face, and its margin is there for that
MAX_TILES = 24  # three columns of the contact sheet; memory does not grow with the video
MIN_IOU = 0.3  # of one suspect in two frames
MAX_MISSED = 5  # checked frames in which a suspect may be missed and is the same one still
SURE_RATIO, SURE_SCORE = 2.0, 0.4
"""Of the class's own threshold, and of any model: then one frame is enough. Some networks give faces a hundredth, and
their thresholds are as low."""
LASTING_FRAMES = 8
"""For what scores less, a third of a second: hands, lamps and signs flicker, faces stay. In honest outputs of eight
real clips, 24 frames each, 26 things were found, all with less than 0.4, and 25 of them in fewer frames."""


def more_sensitive(settings: Settings) -> Settings:
    """Return settings that detect otherwise than a run, with no more work: at other scales, with lower thresholds."""
    variants = settings.detect.variants
    scales = [scale * factor for scale in variants.scales[:1] for factor in SCALES]
    return replace(
        settings,
        classes={
            name: replace(config, threshold=config.threshold * THRESHOLD_RATIO)
            for name, config in settings.classes.items()
        },
        detect=replace(settings.detect, variants=replace(variants, scales=scales, reduced_min_size_px=0.0)),
        track=replace(settings.track, enabled=False),
    )


class Redetect:
    """Runs the detector on each n-th frame of OUTPUT, and follows what it finds.

    check:    what was found
    suspects: all that count, in the order in which they came; some that may still come to count before `finish`
    """

    def __init__(self, settings: Settings, every: int, load_detector: LoadDetector, time_base: Fraction) -> None:
        """`time_base`: seconds a tick of Frame.pts in OUTPUT."""
        self.check = Check("redetect")
        self.suspects: list[Suspect] = []
        detector = load_detector(more_sensitive(settings))
        look = with_faint_frames(detector, "OUTPUT")
        self._detect = with_auto_rotation(look, settings.detect.variants, "OUTPUT", time_base)
        self._cutter = TileCutter(settings, detector.class_names)
        self._thresholds = {name: one.threshold for name, one in settings.classes.items()}
        self._every = every
        self._lasting_frames = max(1, LASTING_FRAMES // every)
        self._frames = self._weak = 0
        self._open: list[tuple[Suspect, Boxes, int]] = []  # with its last box, and when that was

    def add(self, pair: FramePair) -> None:
        """Check one more frame."""
        if pair.number % self._every:
            return
        self._frames += 1
        (found,) = detect_frames([pair.frame], self._detect)
        found = found.confident()
        self._close(MAX_MISSED)
        left = found[np.array([self._is_left(pair, box) for box in found.xyxy], np.bool_)]
        self._follow(pair, left)

    def _close(self, max_missed: int) -> None:
        """Follow no more what was missed for longer, and forget it if it does not count."""
        closed = [suspect for suspect, _, last in self._open if self._frames - last > max_missed]
        self._open = [one for one in self._open if self._frames - one[2] <= max_missed]
        weak = [suspect for suspect in closed if not self._counts(suspect)]
        self.suspects = [suspect for suspect in self.suspects if suspect not in weak]
        self._weak += len(weak)

    def _counts(self, suspect: Suspect) -> bool:
        is_sure = suspect.score >= max(SURE_RATIO * self._thresholds.get(suspect.label, 0), SURE_SCORE)
        return is_sure or suspect.frames >= self._lasting_frames

    def _is_left(self, pair: FramePair, box: Boxes) -> bool:
        """Return True for what is not covered, or is and can still be seen."""
        x0, y0, x1, y1 = box.round().astype(np.intp).clip(0).tolist()
        part = np.s_[y0:y1, x0:x1]
        covered = pair.covered[part]
        if not covered.size:
            return False
        if covered.mean() < COVERED_SHARE:
            return True
        return shows_detail(pair.before[part], pair.shown.luma[part], max(x1 - x0, y1 - y0))

    def _follow(self, pair: FramePair, left: Detections) -> None:
        """Match what was found with the suspects of the frames before; what matches none is a new one."""
        last = np.array([box for _, box, _ in self._open], np.float32).reshape(-1, 4)
        labels = [left.class_names[number] for number in left.class_ids]
        same = np.array([[label == one.label for one, _, _ in self._open] for label in labels], np.bool_)
        overlaps = iou(left.xyxy, last) * same.reshape(len(left), len(last))
        for index, place in enumerate(match_greedily(overlaps, MIN_IOU).tolist()):
            if place < 0:
                suspect = Suspect(pair.number, pair.time_s, labels[index], 0.0, left.xyxy[index], 0, None)
                self.suspects.append(suspect)
                self._open.append((suspect, left.xyxy[index], self._frames))
            else:
                suspect = self._open[place][0]
                self._open[place] = suspect, left.xyxy[index], self._frames
            suspect.frames += 1
            if left.scores[index] > suspect.score:
                self._update(suspect, pair, left, index)

    def _update(self, suspect: Suspect, pair: FramePair, found: Detections, index: int) -> None:
        """Take over the frame with the highest score so far."""
        suspect.frame, suspect.time_s = pair.number, pair.time_s
        suspect.score, suspect.box = float(found.scores[index]), found.xyxy[index]
        tiles = sum(one.tile is not None and self._counts(one) for one in self.suspects)
        if suspect.tile is not None or tiles < MAX_TILES:
            suspect.tile = self._cutter(pair.frame, found, index)

    def finish(self) -> None:
        """Sum up."""
        self._close(-1)
        for one in self.suspects:
            x, y = (one.box[:2] + one.box[2:]) / 2
            what = one.label.replace("_", " ")
            times = f"{one.frames} frame{'' if one.frames == 1 else 's'}"
            text = f"may show a {what} near x {x:.0f}, y {y:.0f} (score {one.score:.2f}, in {times})"
            self.check.add(Grade.review, text, one.frame, one.time_s)
        count = len(self.suspects)
        self.check.summary = f"{self._frames:,} frames of OUTPUT, {count or 'no'} suspect{'' if count == 1 else 's'}"
        if self._weak:
            self.check.summary += f"; {self._weak:,} weak finding{'' if self._weak == 1 else 's'}, too short to count"
