"""Training images out of a folder that `pack` wrote: what is learnt of each, and how often it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import AnnotatedImage
from blurscene_stream.evaluate.datasets import read_dataset
from scripts.training.hard import Hardness
from scripts.training.store import TrainingImage
from scripts.training.targets import CLASS, DOUBT

SURE = (0.40, 0.55)
"""By class id: what a teacher scored higher, and did not call an object, is ignored; below, its score is the target."""

_FACE = 0  # class id
_FEW, _MANY = 1, 4
_EMPTY_WEIGHT, _CROWD_WEIGHT = 0.5, 1.6


def mapping_of(maps: tuple[str, ...] = ()) -> ClassMapping:
    """Return which of our classes the names of a data set mean; `maps`: NAME=CLASS for others."""
    return ClassMapping(Settings().model.classes, maps)


def read_training_images(
    folder: Path, set_weights: Mapping[str, float], hard: Mapping[Path, Hardness] | None = None, faces: float = 1.0
) -> list[TrainingImage]:
    """Read the annotations in `folder`, as `pack` wrote them: images/SET/NAME.webp and labels.jsonl.

    set_weights: by the name of a set, 1 for others; with 0 a set is left out
    hard:        by the path of a picture, in which an earlier network was wrong
    faces:       how much more often pictures with faces are drawn

    Raises SourceError.
    """
    mapping = mapping_of()
    dataset, classes = read_dataset(folder, mapping), len(mapping.class_names)
    hardness = {image.file: (hard or {}).get(image.file, Hardness()) for image in dataset.images}
    images = [_training_image(each, set_weights, classes, hardness[each.file]) for each in dataset.images]
    return [
        replace(image, weight=image.weight * (faces if _shows_face(image) else 1))
        for image in images
        if image.weight > 0
    ]


def _training_image(
    image: AnnotatedImage, set_weights: Mapping[str, float], classes: int, hard: Hardness
) -> TrainingImage:
    assert image.size is not None, "`pack` writes sizes"
    width, height = image.size
    doubts = [
        doubt(class_id, score) if ignored else 0.0
        for class_id, score, ignored in zip(image.class_ids, image.scores, image.ignored, strict=True)
    ]
    for index in hard.left_out:
        doubts[index] = 1.0
    rows = np.concatenate([image.class_ids[:, None], image.boxes, np.array(doubts).reshape(-1, 1)], axis=1)
    objects = doubts.count(0.0)
    weight = hard.weight * (_EMPTY_WEIGHT if objects < _FEW else 1.0 if objects < _MANY else _CROWD_WEIGHT)
    labelled = tuple(class_id in image.exhaustive for class_id in range(classes))
    set_weight = set_weights.get(image.file.parent.name, 1.0)
    return TrainingImage(image.file, width, height, rows.astype(np.float32), labelled, weight * set_weight)


def _shows_face(image: TrainingImage) -> bool:
    return bool(((image.boxes[:, CLASS] == _FACE) & (image.boxes[:, DOUBT] == 0)).any())


def doubt(class_id: int, score: float) -> float:
    """Return the doubt, see `targets.Boxes`, of an ignored box with a teacher's score."""
    return score if score <= SURE[class_id] else 1.0
