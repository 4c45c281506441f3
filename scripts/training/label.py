"""Labels completed by teachers: what two agree on, or one is sure of, is an object; other finds are doubtful.

A doubtful box is written with "ignore" and the teacher's score: training takes the score as its target (`store.doubt`).
Labels that were there stay, and in pictures whose labels of a class are complete nothing is added.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blurscene_stream.boxes import iou
from blurscene_stream.detect.nms import group
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import AnnotatedImage, GroundTruth, read_annotated_image
from blurscene_stream.evaluate.datasets import read_dataset
from scripts.training.pack import COMPLETED, written_boxes
from scripts.training.teachers import MIN_FACE, MIN_PLATE, NOTHING, Scored, Teacher

_SAME_IOU = 0.4  # of two teachers' boxes for one object
_DUPLICATE_IOU = 0.45  # of one teacher's
_KNOWN_IOU = 0.3  # with a label that is there
_MIN_SIDE_PX = 2
_UNEXPLAINED = 0.3
"""Score from which on a find in a completely labelled picture, which no label explains, is doubtful."""


@dataclass(frozen=True)
class Rule:
    """When finds are objects of a class: by the scores of the first and the second teacher, 0 where it saw nothing.

    doubtful: score from which on anything else is kept as doubtful
    """

    sure: Callable[[float, float], bool]
    doubtful: float


RULES = (  # by class id
    Rule(lambda centerface, v1: min(centerface, v1) >= 0.25 or max(centerface, v1) >= 0.45, MIN_FACE),
    Rule(lambda v1, hyperlpr: min(v1, hyperlpr) >= 0.4 or v1 >= 0.75 or (hyperlpr >= 0.8 and v1 >= 0.15), MIN_PLATE),
)


def complete(folder: Path, pairs: Sequence[tuple[Teacher, Teacher]], mapping: ClassMapping) -> Counter[str]:
    """Complete the labels of the data set in `folder`: write COMPLETED there, and count what was added by kind.

    pairs: the two teachers of each class

    Raises SourceError.
    """
    dataset = read_dataset(folder, mapping, objects_required=False)
    added: Counter[str] = Counter()
    with (folder / COMPLETED).open("w", encoding="utf-8") as file:
        for image in dataset.images:
            row = _complete_one(image, pairs, mapping.class_names, added)
            file.write(json.dumps({"file": str(image.file.relative_to(folder))} | row) + "\n")
    return added


def _complete_one(
    image: AnnotatedImage, pairs: Sequence[tuple[Teacher, Teacher]], class_names: Sequence[str], added: Counter[str]
) -> dict[str, Any]:
    """The picture's line of labels.jsonl, without `file`, in pixels of the stored picture."""
    decoded, truth = read_annotated_image(image)
    height, width = decoded.samples.shape[:2]
    found = {teacher: teacher(decoded) for pair in pairs for teacher in pair}  # one teacher may teach both classes
    boxes = written_boxes(truth, decoded.orientation.to_stored(truth.boxes, width, height), class_names)
    for class_id, (first, second) in enumerate(pairs):
        finds = found[first][class_id], found[second][class_id]
        more = judge(truth, class_id, finds, (width, height), class_id in image.exhaustive)
        stored = decoded.orientation.to_stored(more.boxes, width, height)
        boxes += written_boxes(more, stored, class_names)
        added[f"{class_names[class_id]}"] += int((~more.ignored).sum())
        added[f"{class_names[class_id]}, doubtful"] += int(more.ignored.sum())
    stored_width, stored_height = decoded.orientation.upright_size(width, height)
    return {"width": stored_width, "height": stored_height, "boxes": boxes, "exhaustive": list(class_names)}


def judge(
    truth: GroundTruth, class_id: int, finds: tuple[Scored, Scored], size: tuple[int, int], exhaustive: bool
) -> GroundTruth:
    """Return what the finds of two teachers add to the labels of a class; doubtful ones are `ignored`.

    size: width and height of the picture; exhaustive: its labels of the class are complete
    """
    rule, known = RULES[class_id], truth.boxes[truth.class_ids == class_id]
    boxes, scores, doubtful = list[np.ndarray[Any, Any]](), list[float](), list[bool]()
    for row in _joined(*(_without_duplicates(each) for each in finds)):
        box = np.clip(row[:4], 0, [*size, *size]).astype(np.float32)
        first, second = float(row[4]), float(row[5])
        score, is_object = max(first, second), not exhaustive and rule.sure(first, second)
        too_small = (box[2:] - box[:2] < _MIN_SIDE_PX).any()
        labelled = len(known) > 0 and iou(box[None], known).max() > _KNOWN_IOU
        if too_small or labelled or (not is_object and score < (_UNEXPLAINED if exhaustive else rule.doubtful)):
            continue
        boxes.append(box)
        scores.append(min(score, 0.999))  # 1 means that a person labelled it
        doubtful.append(not is_object)
    count = len(boxes)
    made = np.array(boxes, np.float32).reshape(-1, 4)
    return GroundTruth(made, np.full(count, class_id), np.array(doubtful, np.bool_), np.array(scores, float), 0, 0)


def _without_duplicates(finds: Scored) -> Scored:
    if not len(finds):
        return NOTHING
    boxes, scores = finds[:, :4].astype(np.float32), finds[:, 4].astype(np.float32)
    return finds[group(boxes, scores, _DUPLICATE_IOU).kept]


def _joined(first: Scored, second: Scored) -> Scored:
    """(N, 6): a box and the scores of both teachers; boxes that both found are the first one's."""
    same = iou(first[:, :4].astype(np.float32), second[:, :4].astype(np.float32)) > _SAME_IOU
    seconds = np.where(same, second[None, :, 4], 0).max(axis=1, initial=0)
    alone = second[~same.any(axis=0)]
    return np.concatenate(
        [
            np.column_stack([first, seconds]),
            np.column_stack([alone[:, :4], np.zeros(len(alone)), alone[:, 4]]),
        ]
    )
