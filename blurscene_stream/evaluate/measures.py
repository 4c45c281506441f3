"""The numbers of a data set: average precision, recall, precision and cover, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.evaluate.cover import COVERED
from blurscene_stream.evaluate.curves import Curve
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.estimates import NOT_STATED, Estimate, Resampling, Values
from blurscene_stream.evaluate.plan import Plan
from blurscene_stream.evaluate.scores import LOOSE, OVERLAPS, ClassScores, Found, load_judges, score_pictures

THRESHOLDS = (0.1, 0.2, 0.3)
SIZES_PX = (0, 16, 32, 64, 128, 256, np.inf)  # of the longer side
OWN = "own"


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class of a data set.

    average_precision: by overlap ("AP50", "AP30"), over pictures whose labels are exhaustive
    recall, precision: by threshold of the merged score; "own" is what a run finds and covers; at an overlap of LOOSE
    recall_by_size:    of what a run finds, by the longer side of the object in pixels
    covered_mean:      share of an object that is covered, on average
    covered_whole:     share of the objects that are covered at least to COVERED
    curve:             recall and precision as the threshold falls, for the plot; [] where it cannot be told
    """

    threshold: float
    average_precision: dict[str, Estimate]
    recall: dict[str, Estimate]
    precision: dict[str, Estimate]
    recall_by_size: dict[str, Estimate]
    covered_mean: Estimate
    covered_whole: Estimate
    curve: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class PictureReport:
    """A data set and the classes that it has labels of.

    clipped, lost: see Scores
    """

    dataset: str
    kind: str
    device: str
    pictures: int
    clipped: int
    lost: int
    classes: dict[str, ClassReport]


def measure_pictures(place: Path, plan: Plan) -> PictureReport:
    """Run the detector over the data set at `place` and measure it.

    Raises SourceError when the data set cannot be read, UsageError for a class that is not known,
    StoppedError.
    """
    dataset = read_dataset(place, plan.names)
    judges = load_judges(plan.settings, plan.load_detector)
    scores = score_pictures(dataset, judges, plan)
    classes = {
        name: measure_class(tally, plan.settings.classes[name].threshold, plan.resampling)
        for name, tally in scores.classes.items()
        if tally.pictures
    }
    count = len(dataset.pictures)
    device = judges.curves.device_name
    return PictureReport(dataset.name, dataset.kind, device, count, scores.clipped, scores.lost, classes)


def measure_class(tally: ClassScores, own: float, resampling: Resampling) -> ClassReport:
    """All numbers of one class; `own` is its threshold."""
    pictures, best, found = np.array(tally.pictures, np.int64), np.array(tally.best), np.array(tally.own, np.bool_)
    sides, shares = np.array(tally.sides_px), np.array(tally.covered)
    units = len(tally.exhaustive)

    def share(part: NDArray[np.bool_] | Values, whole: NDArray[np.bool_] | None = None) -> Estimate:
        """The sum of `part` over that of `whole`, both of each object; None: all objects."""
        below = np.ones(len(pictures)) if whole is None else whole
        return resampling.ratio(_per_picture(pictures, part, units), _per_picture(pictures, below, units))

    thresholds = {f"{each:g}": float(np.float32(each)) for each in THRESHOLDS}  # as the detector compares
    in_sizes = {_size_name(least, most): (sides >= least) & (sides < most) for least, most in pairwise(SIZES_PX)}
    curves = {overlap: _curve(tally, overlap) for overlap in OVERLAPS}
    areas = {f"AP{overlap * 100:.0f}": _area(curve, resampling, tally) for overlap, curve in curves.items()}
    return ClassReport(
        threshold=round(float(np.float32(own)), 6),
        average_precision=areas,
        recall={name: share(best > each) for name, each in thresholds.items()} | {OWN: share(found)},
        precision={
            **{name: _precision(tally, tally.found[LOOSE], each, resampling) for name, each in thresholds.items()},
            OWN: _precision(tally, tally.run, -np.inf, resampling),
        },
        recall_by_size={name: share(found & here, here) for name, here in in_sizes.items()},
        covered_mean=share(shares),
        covered_whole=share(shares >= COVERED),
        curve=_drawn(curves[LOOSE], tally),
    )


def _size_name(least: float, most: float) -> str:
    if least == 0:
        return f"<{most:g}"
    return f">={least:g}" if most == np.inf else f"{least:g}-{most:g}"


def _curve(tally: ClassScores, overlap: float) -> Curve:
    """Over the pictures whose labels are exhaustive."""
    found, units = tally.found[overlap], len(tally.exhaustive)
    objects = np.bincount(np.array(tally.pictures, np.int64), minlength=units) * np.array(tally.exhaustive, float)
    return Curve(np.array(found.scores), np.array(found.right, bool), np.array(found.pictures, np.int64), objects)


def _area(curve: Curve, resampling: Resampling, tally: ClassScores) -> Estimate:
    objects = sum(tally.exhaustive[picture] for picture in tally.pictures)
    return resampling.estimate(curve.average_precision, len(tally.exhaustive), objects, len(curve.scores))


def _precision(tally: ClassScores, found: Found, threshold: float, resampling: Resampling) -> Estimate:
    units = len(tally.exhaustive)
    if not any(tally.exhaustive):
        return NOT_STATED
    pictures, kept = np.array(found.pictures, np.int64), np.array(found.scores) > threshold
    right = _per_picture(pictures, kept & np.array(found.right, np.bool_), units)
    return resampling.ratio(right, _per_picture(pictures, kept, units))


def _per_picture(pictures: NDArray[np.int64], values: NDArray[np.bool_] | Values, units: int) -> Values:
    """The sum (units,) of the values of each picture's objects or boxes."""
    return np.bincount(pictures, values.astype(np.float64), units).astype(np.float64)


def _drawn(curve: Curve, tally: ClassScores) -> list[tuple[float, float]]:
    if not len(curve.scores) or not any(tally.exhaustive):
        return []
    precision, recall = curve.points(np.ones((1, len(tally.exhaustive))))
    return list(zip(recall[0].tolist(), precision[0].tolist(), strict=True))
