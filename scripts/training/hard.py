"""Hard examples: pictures in which a network is wrong are drawn more often, and doubtful labels are left out.

Of the labels that teachers gave with a low score and that a trained network does not see at all, one in four was right
(scripts/training/README.md): such a label is learnt neither as an object nor as background.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.annotations import AnnotatedImage, read_annotated_image
from blurscene_stream.evaluate.image_results import MATCH_IOU, by_descending_score
from blurscene_stream.evaluate.matching import match_detections
from blurscene_stream.pipeline.detection import detect_frames, load_configured_detector
from blurscene_stream.pipeline.image import merge_frame_detections

_HARD_RATIO = 2.0  # an object whose score is below so many thresholds is hard
_TEACHERS_SHARE = 0.5  # of a miss, where a teacher gave the label; of a false alarm
_STEP, _MOST = 0.4, 2.5  # weight for each miss, and the largest one
_MIN_FALSE_PX = 14.0  # smaller false alarms are often objects that nobody labelled
_UNSURE = 0.45  # a teacher's score, below which a label that is not detected at all is left out
_NEAR_IOU = 0.2  # a false alarm overlaps no label by so much


@dataclass(frozen=True)
class Hardness:
    """Of one picture: how much more often it is drawn, 1 for one without mistakes, and indices of labels left out."""

    weight: float = 1.0
    left_out: tuple[int, ...] = ()


def review(image: AnnotatedImage, found: Detections, thresholds: Sequence[float]) -> Hardness:
    """Compare detections in an image, from MIN_SCORE on, with its labels; `thresholds`: by class id."""
    mistakes, left_out = 0.0, list[int]()
    for class_id in sorted(image.exhaustive):
        detections = by_descending_score(found[found.class_ids == class_id])
        required = np.flatnonzero((image.class_ids == class_id) & ~image.ignored)
        scores = _scores_of(image, required, detections)
        by_teacher = image.scores[required] < 1
        unsure = by_teacher & (image.scores[required] < _UNSURE) & (scores == 0)
        missed = ~unsure & (scores < _HARD_RATIO * thresholds[class_id])
        left_out += required[unsure].tolist()
        mistakes += float(np.where(by_teacher, _TEACHERS_SHARE, 1.0)[missed].sum())
        mistakes += _TEACHERS_SHARE * _false_alarms(image, class_id, detections, thresholds[class_id])
    return Hardness(round(min(1 + _STEP * mistakes, _MOST), 2), tuple(left_out))


def _scores_of(image: AnnotatedImage, required: np.ndarray, detections: Detections) -> np.ndarray:
    """Return the score (N,) of the detection that matches each of the labels, 0 for none."""
    matches = match_detections(detections.xyxy, image.boxes[required], np.zeros((0, 4), np.float32), MATCH_IOU)
    scores = np.zeros(len(required))
    scores[matches.truth_indices[matches.true_positives]] = detections.scores[matches.true_positives]
    return scores


def _false_alarms(image: AnnotatedImage, class_id: int, detections: Detections, threshold: float) -> int:
    """Count the detections that are near no label, ignored ones too."""
    labelled = image.boxes[image.class_ids == class_id].astype(np.float32)
    sides = (detections.xyxy[:, 2:] - detections.xyxy[:, :2]).max(axis=1, initial=0)
    near = (iou(detections.xyxy, labelled) >= _NEAR_IOU).any(axis=1)
    ignored = match_detections(
        detections.xyxy, labelled[:0], image.boxes[(image.class_ids == class_id) & image.ignored], 0.5
    ).ignored
    return int(((detections.scores > threshold) & (sides >= _MIN_FALSE_PX) & ~near & ~ignored).sum())


def review_all(
    images: Iterable[AnnotatedImage], settings: Settings, thresholds: Sequence[float]
) -> Iterator[tuple[AnnotatedImage, Hardness]]:
    """Yield each image with its hardness for the detector of `settings`. Raises SourceError, DetectionError."""
    detector = load_configured_detector(settings)
    for image in images:
        decoded, _ = read_annotated_image(image)
        found = merge_frame_detections(detect_frames(decoded.frames(), detector))
        yield image, review(image, found, thresholds)


def write(rows: Iterable[tuple[AnnotatedImage, Hardness]], folder: Path, out: Path) -> int:
    """Write one JSON line for each picture below `folder` that is not usual; return how many these are."""
    lines = [
        json.dumps(
            {"file": image.file.relative_to(folder).as_posix(), "weight": hard.weight, "left_out": hard.left_out}
        )
        for image, hard in rows
        if hard != Hardness()
    ]
    out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return len(lines)


def read(file: Path, folder: Path) -> Mapping[Path, Hardness]:
    """Read what `write` wrote, by the pictures' paths. Raises SourceError."""
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return {folder / row["file"]: Hardness(float(row["weight"]), tuple(row["left_out"])) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{file}: is not a file of hard examples: {error}; make it with `hard`") from error
