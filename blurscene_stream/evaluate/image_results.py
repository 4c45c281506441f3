"""Detections of a data set matched with its ground truth: what precision, recall, AP and coverage are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.schema import ClassConfig, MergeMethod, Settings, class_configs
from blurscene_stream.evaluate.annotations import AnnotatedImage, Dataset, read_annotated_image
from blurscene_stream.evaluate.matching import Matches, covered_shares, match_detections
from blurscene_stream.evaluate.options import EvaluationOptions
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.pipeline.detection import Detector, LoadDetector, detect_frames, prefix_errors
from blurscene_stream.pipeline.image import merge_frame_detections
from blurscene_stream.redact import cover_mask, cover_regions

MIN_SCORE = 0.02  # of the detections that precision/recall curves are drawn from
IOU_THRESHOLDS = (0.5, 0.3)  # of AP50 and AP30
MATCH_IOU = 0.3  # from which on an object counts as detected


@dataclass(slots=True)
class Predictions:
    """True and false positives of one class at one IoU threshold, in the images where that can be told.

    images, scores, true_positives, sizes_px: of each box: the index of its image, its score, whether it has a match,
    its longer side
    """

    images: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    true_positives: list[bool] = field(default_factory=list)
    sizes_px: list[float] = field(default_factory=list)

    def add(self, image: int, detections: Detections, matches: Matches) -> None:
        """Add the boxes of one image, without those on ignored objects."""
        kept = ~matches.ignored
        self.images += [image] * int(kept.sum())
        self.scores += detections.scores[kept].tolist()
        self.true_positives += matches.true_positives[kept].tolist()
        self.sizes_px += _longer_sides(detections.xyxy[kept]).tolist()


@dataclass(slots=True)
class ClassResults:
    """Results of one class over a data set.

    exhaustive:  for each image, whether every object of the class is annotated
    images:      of each object that must be found: the index of its image
    sizes_px:    its longer side
    best_scores: score of the box that matches it at MATCH_IOU, 0 for none
    detected:    whether a run with the settings as they are detects it, at MATCH_IOU
    covered:     the share of it that such a run covers
    predictions: by IoU threshold, with scores from MIN_SCORE on
    run:         detections of such a run, at MATCH_IOU; all of them are covered, whatever their scores after merging
    """

    exhaustive: list[bool] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    sizes_px: list[float] = field(default_factory=list)
    best_scores: list[float] = field(default_factory=list)
    detected: list[bool] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)
    predictions: dict[float, Predictions] = field(
        default_factory=lambda: {each: Predictions() for each in IOU_THRESHOLDS}
    )
    run: Predictions = field(default_factory=Predictions)


@dataclass(slots=True)
class DatasetResults:
    """Results of a data set by class name.

    clipped, dropped: annotated boxes that reached past the border; that had no area in the image
    """

    classes: dict[str, ClassResults]
    clipped: int = 0
    dropped: int = 0


def with_min_score(settings: Settings) -> Settings:
    """Return the settings with thresholds of MIN_SCORE, or a class's own where that is lower."""
    low = {name: replace(one, threshold=min(MIN_SCORE, one.threshold)) for name, one in settings.classes.items()}
    return replace(settings, classes=low)


@dataclass(frozen=True, slots=True)
class EvaluatedDetectors:
    """The detector at two thresholds.

    low_threshold: with `with_min_score`, for all that depends on a threshold
    configured:    with the settings as they are: all that it finds is covered; the same object as `low_threshold`
                   where the classes' thresholds can be applied to the boxes of that one
    """

    low_threshold: Detector
    configured: Detector


def load_detectors(settings: Settings, load_detector: LoadDetector) -> EvaluatedDetectors:
    """Load one detector for both where low-scoring boxes cannot change others in merging, which is NMS; else two."""
    # An image has neither frames before nor after it.
    settings = replace(settings, track=replace(settings.track, enabled=False))
    low_threshold = load_detector(with_min_score(settings))
    shared = settings.detect.merge.method is MergeMethod.nms
    return EvaluatedDetectors(low_threshold, low_threshold if shared else load_detector(settings))


def collect_results(dataset: Dataset, detectors: EvaluatedDetectors, options: EvaluationOptions) -> DatasetResults:
    """Detect in every image and match with its ground truth.

    Raises SourceError for an unreadable image, DetectionError, and StoppedError after an image.
    """
    results = DatasetResults({name: ClassResults() for name in detectors.low_threshold.class_names})
    with options.stop_token.defer():
        for index, image in enumerate(dataset.images):
            _add_image(results, index, image, detectors, options.settings)
            options.progress(index + 1, len(dataset.images))
            options.stop_token.raise_if_stopped()
    options.stop_token.raise_if_stopped()
    return results


def _add_image(
    results: DatasetResults, index: int, image: AnnotatedImage, detectors: EvaluatedDetectors, settings: Settings
) -> None:
    decoded, truth = read_annotated_image(image)
    configs = class_configs(settings, detectors.low_threshold.class_names)
    with prefix_errors(str(image.file)):
        detections, run = _detect(decoded, detectors, settings, str(image.file))
    results.clipped += truth.clipped
    results.dropped += truth.dropped
    mask = cover_mask(decoded.info, cover_regions(decoded.info, run, configs, settings.redact.min_margin_px))
    shares = covered_shares(mask, truth.boxes)  # by boxes of any class: covered is covered
    for class_id, of_class in enumerate(results.classes.values()):
        of_class.exhaustive.append(class_id in image.exhaustive)
        required, ignored = truth.boxes_of(class_id), truth.boxes_of(class_id, ignored=True)
        _add_detections(of_class, index, required, ignored, detections[detections.class_ids == class_id])
        _add_run(of_class, index, required, ignored, run[run.class_ids == class_id])
        of_class.covered += shares[(truth.class_ids == class_id) & ~truth.ignored].tolist()


def _detect(
    image: DecodedImage, detectors: EvaluatedDetectors, settings: Settings, name: str
) -> tuple[Detections, Detections]:
    """Return detections from MIN_SCORE on, and those of a run with the settings as they are.

    name: for the log
    Raises DetectionError.
    """
    configs, variants = class_configs(settings, detectors.low_threshold.class_names), settings.detect.variants
    low = detect_frames(image.frames(), with_auto_rotation(detectors.low_threshold, variants, name))
    if detectors.configured is detectors.low_threshold:
        # Each frame for itself: a low score in one must not stand for a high score in another.
        run = [found[above_threshold(found, configs)] for found in low]
    else:
        run = detect_frames(image.frames(), with_auto_rotation(detectors.configured, variants, name))
    return merge_frame_detections(low), merge_frame_detections(run)


def above_threshold(detections: Detections, configs: Sequence[ClassConfig]) -> NDArray[np.bool_]:
    """Return a mask (N,) of the boxes with a score above the threshold of their class."""
    thresholds = np.array([config.threshold for config in configs], np.float32)
    return np.asarray(detections.scores > thresholds[detections.class_ids], np.bool_)


def by_descending_score(detections: Detections) -> Detections:
    """Sort detections by score, best first, as matching takes them."""
    return detections[np.argsort(-detections.scores, kind="stable")]


def _add_detections(results: ClassResults, index: int, required: Boxes, ignored: Boxes, detections: Detections) -> None:
    """Add the detections of one class in one image, from MIN_SCORE on."""
    ranked = by_descending_score(detections)
    for min_iou, predictions in results.predictions.items():
        matches = match_detections(ranked.xyxy, required, ignored, min_iou)
        if min_iou == MATCH_IOU:
            best = np.zeros(len(required))
            best[matches.truth_indices[matches.true_positives]] = ranked.scores[matches.true_positives]
            results.best_scores += best.tolist()
        if results.exhaustive[-1]:
            predictions.add(index, ranked, matches)
    results.images += [index] * len(required)
    results.sizes_px += _longer_sides(required).tolist()


def _longer_sides(boxes: Boxes) -> NDArray[np.float32]:
    """Return the longer side (N,) of each box (N, 4)."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0), np.float32)


def _add_run(results: ClassResults, index: int, required: Boxes, ignored: Boxes, run: Detections) -> None:
    """Add the detections of one class in one image, of a run with the settings as they are."""
    ranked = by_descending_score(run)
    matches = match_detections(ranked.xyxy, required, ignored, MATCH_IOU)
    results.detected += np.isin(np.arange(len(required)), matches.truth_indices).tolist()
    if results.exhaustive[-1]:
        results.run.add(index, ranked, matches)
