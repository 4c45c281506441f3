"""Runs the detector over a data set once, and keeps what every measure is calculated from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.schema import ClassConfig, MergeMethod, Settings, chosen
from blurscene_stream.evaluate.cover import covered_shares
from blurscene_stream.evaluate.labels import Dataset, Labelled
from blurscene_stream.evaluate.matching import Match, match, of_class
from blurscene_stream.evaluate.pictures import read_labelled
from blurscene_stream.evaluate.plan import Plan
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.detection import Detector, LoadDetector, detect_frames, prefix_errors
from blurscene_stream.pipeline.image import merge_frame_detections
from blurscene_stream.redact import cover_mask, cover_regions

FLOOR = 0.02  # the detector is asked for everything above; curves end there
OVERLAPS = (0.5, 0.3)
LOOSE = 0.3  # overlap at which an object counts as found


@dataclass(slots=True)
class Found:
    """The boxes of one class that are right or wrong at one overlap, in the pictures where that can be told.

    pictures, scores, right: of each box: its picture, its score, whether it found an object
    """

    pictures: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add(self, picture: int, scores: NDArray[np.float32], result: Match) -> None:
        """The boxes of one picture; those that are neither right nor wrong are left out."""
        kept = ~result.ignored
        self.pictures += [picture] * int(kept.sum())
        self.scores += scores[kept].tolist()
        self.right += (result.taken[kept] >= 0).tolist()


@dataclass(slots=True)
class ClassScores:
    """One class over a whole data set.

    exhaustive: for each picture, whether every object in it is labelled
    pictures:   of each object that counts: its picture
    sides_px:   its longer side
    best:       the score of the box that found it at LOOSE, 0 for none
    own:        whether a run with the settings as they are finds it, at LOOSE
    covered:    the share of it that is covered by such a run
    found:      by overlap
    run:        what such a run finds, at LOOSE; all of it is covered, whatever its score has become in merging
    """

    exhaustive: list[bool] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    sides_px: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)
    found: dict[float, Found] = field(default_factory=lambda: {overlap: Found() for overlap in OVERLAPS})
    run: Found = field(default_factory=Found)


@dataclass(slots=True)
class Scores:
    """Everything that was found in a data set.

    clipped, lost: labelled boxes that reached past the border; that had no area in the picture
    """

    classes: dict[str, ClassScores]
    clipped: int = 0
    lost: int = 0


def with_floor(settings: Settings) -> Settings:
    """The same, but with everything that scores above FLOOR (or the class's own threshold, where that is lower)."""
    low = {name: replace(one, threshold=min(FLOOR, one.threshold)) for name, one in settings.classes.items()}
    return replace(settings, classes=low)


@dataclass(frozen=True, slots=True)
class Judges:
    """Who looks at the pictures.

    curves: the detector `with_floor`, for everything that depends on a threshold
    cover:  the detector as the settings have it: all that it finds is covered; the same where what `curves` finds above
            the classes' thresholds is that
    """

    curves: Detector
    cover: Detector


def load_judges(settings: Settings, load_detector: LoadDetector) -> Judges:
    """One detector for both, where boxes that score low cannot change those that score high when they are merged."""
    alone = (
        replace(settings.detect, every=1),
        replace(settings.track, enabled=False),
    )  # a picture has no before and after
    settings = replace(settings, detect=alone[0], track=alone[1])
    curves = load_detector(with_floor(settings))
    alike = settings.detect.merge.method is MergeMethod.nms
    return Judges(curves, curves if alike else load_detector(settings))


def score_pictures(dataset: Dataset, judges: Judges, plan: Plan) -> Scores:
    """Judge every picture of the data set.

    Raises SourceError when one cannot be read, DetectionError, and StoppedError after a picture.
    """
    scores = Scores({name: ClassScores() for name in judges.curves.classes})
    with plan.stop_token.defer():
        for number, labelled in enumerate(dataset.pictures):
            _score(scores, number, labelled, judges, plan.settings)
            plan.progress(number + 1, len(dataset.pictures))
            plan.stop_token.raise_if_stopped()
    plan.stop_token.raise_if_stopped()
    return scores


def _score(scores: Scores, number: int, labelled: Labelled, judges: Judges, settings: Settings) -> None:
    """Judge one picture."""
    picture, truth = read_labelled(labelled)
    classes = chosen(settings, judges.curves.classes)
    with prefix_errors(str(labelled.file)):
        everything, shown = _judged(picture, judges, classes)
    scores.clipped += truth.clipped
    scores.lost += truth.lost
    mask = cover_mask(picture.info, cover_regions(picture.info, shown, classes, settings.redact.min_margin_px))
    shares = covered_shares(mask, truth.boxes)  # whatever covers an object, it is hidden
    for label, tally in enumerate(scores.classes.values()):
        tally.exhaustive.append(label in labelled.exhaustive)
        wanted, spared = of_class(truth, label, True), of_class(truth, label, False)
        _add(tally, number, wanted, spared, everything[everything.class_ids == label])
        _add_run(tally, number, wanted, spared, shown[shown.class_ids == label])
        tally.covered += shares[(truth.labels == label) & truth.counts].tolist()


def _judged(picture: DecodedImage, judges: Judges, classes: Sequence[ClassConfig]) -> tuple[Detections, Detections]:
    """Everything that is found in a picture, and what a run with the settings as they are finds.

    Raises DetectionError.
    """
    everything = detect_frames(picture.frames(), judges.curves)
    if judges.cover is judges.curves:
        # Each frame for itself: what scores low in one must not stand for what scores high in another.
        shown = [found[above_threshold(found, classes)] for found in everything]
    else:
        shown = detect_frames(picture.frames(), judges.cover)
    return merge_frame_detections(everything), merge_frame_detections(shown)


def above_threshold(found: Detections, classes: Sequence[ClassConfig]) -> NDArray[np.bool_]:
    """Which boxes score above the threshold of their class."""
    thresholds = np.array([one.threshold for one in classes], np.float32)
    return np.asarray(found.scores > thresholds[found.class_ids], np.bool_)


def _add(tally: ClassScores, number: int, wanted: Boxes, spared: Boxes, found: Detections) -> None:
    """Count everything that is found of one class in one picture."""
    best_first = found[np.argsort(-found.scores, kind="stable")]
    for overlap, boxes in tally.found.items():
        result = match(best_first.xyxy, wanted, spared, overlap)
        if overlap == LOOSE:
            best = np.zeros(len(wanted))
            best[result.taken[result.taken >= 0]] = best_first.scores[result.taken >= 0]
            tally.best += best.tolist()
        if tally.exhaustive[-1]:
            boxes.add(number, best_first.scores, result)
    sides = wanted[:, 2:] - wanted[:, :2]
    tally.pictures += [number] * len(wanted)
    tally.sides_px += sides.max(axis=1, initial=0).tolist()


def _add_run(tally: ClassScores, number: int, wanted: Boxes, spared: Boxes, shown: Detections) -> None:
    """Count what a run finds of one class in one picture."""
    best_first = shown[np.argsort(-shown.scores, kind="stable")]
    result = match(best_first.xyxy, wanted, spared, LOOSE)
    tally.own += np.isin(np.arange(len(wanted)), result.taken).tolist()
    if tally.exhaustive[-1]:
        tally.run.add(number, best_first.scores, result)
