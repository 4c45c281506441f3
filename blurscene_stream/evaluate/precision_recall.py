"""Precision/recall curve, average precision (AP), recall by size and coverage of a data set, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.evaluate.bootstrap import NOT_STATED, Bootstrap, Estimate, Floats
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.image_results import (
    IOU_THRESHOLDS,
    MATCH_IOU,
    ClassResults,
    Predictions,
    collect_results,
    load_detectors,
)
from blurscene_stream.evaluate.matching import MIN_COVERED_SHARE
from blurscene_stream.evaluate.options import EvaluationOptions

SCORE_THRESHOLDS = (0.1, 0.2, 0.3)
SIZE_EDGES_PX = (0, 16, 32, 64, 128, 256, np.inf)  # of the longer side
OWN = "own"
"""Key of the class's own threshold, beside those of SCORE_THRESHOLDS."""


class PrecisionRecallCurve:
    """Precision and recall of one class as the score threshold falls.

    scores, true_positives, images: of each detection, in any order
    objects:                        (units,), objects in each image
    """

    def __init__(
        self, scores: Floats, true_positives: NDArray[np.bool_], images: NDArray[np.int64], objects: Floats
    ) -> None:
        order = np.argsort(-scores, kind="stable")
        self.scores = scores[order]
        self._true_positives = true_positives[order].astype(np.float64)
        self._images = images[order]
        self._objects = objects
        # Detections of equal score are one step: no threshold separates them, and their order must not matter.
        self._ends = np.searchsorted(-self.scores, -self.scores, side="right") - 1

    def points(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return precision and recall (draws, boxes) for `weights` (draws, units); recall is NaN without objects."""
        drawn = weights[:, self._images]
        true_positives = np.cumsum(drawn * self._true_positives, axis=1)[:, self._ends]
        detections = np.cumsum(drawn, axis=1)[:, self._ends]
        precision = true_positives / np.maximum(detections, 1)
        objects = weights @ self._objects
        recall = true_positives / np.where(objects > 0, objects, np.nan)[:, None]
        return precision, recall

    def average_precision(self, weights: Floats) -> Floats:
        """Return the area (draws,) below the curve of interpolated precision, the best at that recall or a higher one.

        All points are used (Everingham et al., The PASCAL VOC Challenge, VOC 2010 on), not the 101 of COCO.
        """
        if not len(self.scores):
            return np.where(weights @ self._objects > 0, 0.0, np.nan)
        precision, recall = self.points(weights)
        interpolated = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        steps = np.diff(recall, axis=1, prepend=0)
        return np.asarray((steps * interpolated).sum(axis=1))


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Metrics of one class of a data set.

    threshold:         the class's own score threshold
    average_precision: by IoU threshold ("AP50", "AP30"), over images with exhaustive annotations
    recall, precision: by threshold of the merged score; "own" is what a run detects and covers; at MATCH_IOU
    recall_by_size:    of such a run, by the longer side of the object in pixels
    mean_coverage:     share of an object that is covered, mean over the objects
    fully_covered:     share of the objects of which at least MIN_COVERED_SHARE is covered
    curve:             recall and precision as the threshold falls, for the plot; [] where it cannot be stated
    """

    threshold: float
    average_precision: dict[str, Estimate]
    recall: dict[str, Estimate]
    precision: dict[str, Estimate]
    recall_by_size: dict[str, Estimate]
    mean_coverage: Estimate
    fully_covered: Estimate
    curve: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ImageReport:
    """Metrics of a data set, for each class that it has annotations of.

    clipped, dropped: see DatasetResults
    """

    dataset: str
    format: str
    device: str
    images: int
    clipped: int
    dropped: int
    classes: dict[str, ClassReport]


def measure_images(path: Path, options: EvaluationOptions) -> ImageReport:
    """Run the detector over the data set at `path` and compute its metrics.

    Raises SourceError when the data set cannot be read, UsageError for an unknown class, StoppedError.
    """
    dataset = read_dataset(path, options.class_mapping)
    detectors = load_detectors(options.settings, options.load_detector)
    results = collect_results(dataset, detectors, options)
    classes = {
        name: measure_class(of_class, options.settings.classes[name].threshold, options.bootstrap)
        for name, of_class in results.classes.items()
        if of_class.images
    }
    device = detectors.low_threshold.device_name
    return ImageReport(
        dataset.name, dataset.format, device, len(dataset.images), results.clipped, results.dropped, classes
    )


def measure_class(results: ClassResults, threshold: float, bootstrap: Bootstrap) -> ClassReport:
    """Compute all metrics of one class; `threshold` is its own."""
    images, best_scores = np.array(results.images, np.int64), np.array(results.best_scores)
    detected, sizes = np.array(results.detected, np.bool_), np.array(results.sizes_px)
    shares, units = np.array(results.covered), len(results.exhaustive)

    def share(values: NDArray[np.bool_] | Floats, among: NDArray[np.bool_] | None = None) -> Estimate:
        """Estimate the mean of `values` over the objects in `among`; None: over all objects."""
        counted = np.ones(len(images)) if among is None else among
        return bootstrap.ratio(_per_image(images, values, units), _per_image(images, counted, units))

    thresholds = {f"{each:g}": float(np.float32(each)) for each in SCORE_THRESHOLDS}  # as the detector compares
    buckets = {_bucket_name(low, high): (sizes >= low) & (sizes < high) for low, high in pairwise(SIZE_EDGES_PX)}
    curves = {min_iou: _curve(results, min_iou) for min_iou in IOU_THRESHOLDS}
    predictions = results.predictions[MATCH_IOU]
    return ClassReport(
        threshold=round(float(np.float32(threshold)), 6),
        average_precision={
            f"AP{min_iou * 100:.0f}": _average_precision(curve, bootstrap, results) for min_iou, curve in curves.items()
        },
        recall={name: share(best_scores > each) for name, each in thresholds.items()} | {OWN: share(detected)},
        precision={
            **{name: _precision(results, predictions, each, bootstrap) for name, each in thresholds.items()},
            OWN: _precision(results, results.run, -np.inf, bootstrap),
        },
        recall_by_size={name: share(detected & inside, inside) for name, inside in buckets.items()},
        mean_coverage=share(shares),
        fully_covered=share(shares >= MIN_COVERED_SHARE),
        curve=_plotted(curves[MATCH_IOU], results),
    )


def _bucket_name(low: float, high: float) -> str:
    if low == 0:
        return f"<{high:g}"
    return f">={low:g}" if high == np.inf else f"{low:g}-{high:g}"


def _curve(results: ClassResults, min_iou: float) -> PrecisionRecallCurve:
    """Build the curve over the images with exhaustive annotations."""
    predictions, units = results.predictions[min_iou], len(results.exhaustive)
    objects = np.bincount(np.array(results.images, np.int64), minlength=units) * np.array(results.exhaustive, float)
    true_positives, images = np.array(predictions.true_positives, bool), np.array(predictions.images, np.int64)
    return PrecisionRecallCurve(np.array(predictions.scores), true_positives, images, objects)


def _average_precision(curve: PrecisionRecallCurve, bootstrap: Bootstrap, results: ClassResults) -> Estimate:
    objects = sum(results.exhaustive[image] for image in results.images)
    return bootstrap.estimate(curve.average_precision, len(results.exhaustive), objects, len(curve.scores))


def _precision(results: ClassResults, predictions: Predictions, threshold: float, bootstrap: Bootstrap) -> Estimate:
    units = len(results.exhaustive)
    if not any(results.exhaustive):
        return NOT_STATED
    images, kept = np.array(predictions.images, np.int64), np.array(predictions.scores) > threshold
    true_positives = _per_image(images, kept & np.array(predictions.true_positives, np.bool_), units)
    return bootstrap.ratio(true_positives, _per_image(images, kept, units))


def _per_image(images: NDArray[np.int64], values: NDArray[np.bool_] | Floats, units: int) -> Floats:
    """Sum the values of the objects or boxes of each image: (units,)."""
    return np.bincount(images, values.astype(np.float64), units).astype(np.float64)


def _plotted(curve: PrecisionRecallCurve, results: ClassResults) -> list[tuple[float, float]]:
    if not len(curve.scores) or not any(results.exhaustive):
        return []
    precision, recall = curve.points(np.ones((1, len(results.exhaustive))))
    return list(zip(recall[0].tolist(), precision[0].tolist(), strict=True))
