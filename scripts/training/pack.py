"""Packing of labelled pictures for training: WebP of at most 1280 pixels, and a part of each set held out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.boxes import scale
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import AnnotatedImage, GroundTruth, read_annotated_image
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.image import DecodedImage

TRAIN, HELD_OUT = "train", "held_out"
"""Folders of the packed pictures, each with its labels.jsonl, which `evaluate` reads as well."""

COMPLETED = "completed.jsonl"
"""Labels of a set that teachers completed; taken in place of its own."""

MAX_SIDE_PX = 1280
HELD_OUT_SHARE = 0.1
_QUALITY = 75  # of WebP

Rgb = NDArray[np.uint8]


@dataclass
class Packed:
    """Numbers of pictures; `left_out`: messages about those that were left out."""

    train: int = 0
    held_out: int = 0
    left_out: list[str] = field(default_factory=list)


def pack(
    datasets: Sequence[Path],
    out: Path,
    mapping: ClassMapping,
    held_out_share: float = HELD_OUT_SHARE,
    left_out: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Packed:
    """Pack data sets in any form that `evaluate` reads; the name of a set is that of its folder.

    Pictures of one place or film have neighbouring names: what is held out is the last share of each set by name.

    left_out: by the name of a set, file names of pictures that are neither trained on nor held out; which of the others
              are held out does not depend on it

    Raises SourceError when a data set cannot be read, UsageError for an unknown class.
    """
    packed, rows = Packed(), {TRAIN: list[str](), HELD_OUT: list[str]()}
    for path in datasets:
        completed = path / COMPLETED
        dataset = read_dataset(completed if completed.is_file() else path, mapping, objects_required=False)
        first_held_out = len(dataset.images) - int(len(dataset.images) * held_out_share)
        for number, image in enumerate(sorted(dataset.images, key=lambda image: str(image.file))):
            part = HELD_OUT if number >= first_held_out else TRAIN
            name = path.resolve().name
            file = f"images/{name}/{number}.webp"
            if image.file.name in left_out.get(name, ()):
                packed.left_out.append(f"{image.file}: the manifest says so")
                continue
            try:
                row = _pack_one(image, out / part / file, mapping.class_names)
            except SourceError as error:
                packed.left_out.append(str(error))
                continue
            rows[part].append(json.dumps({"file": file} | row) + "\n")
    for part, lines in rows.items():
        (out / part).mkdir(parents=True, exist_ok=True)
        (out / part / "labels.jsonl").write_text("".join(lines), encoding="utf-8")
    packed.train, packed.held_out = len(rows[TRAIN]), len(rows[HELD_OUT])
    return packed


def _pack_one(image: AnnotatedImage, target: Path, class_names: Sequence[str]) -> dict[str, Any]:
    """Write a picture and return its line of labels.jsonl, without `file`. Raises SourceError."""
    decoded, truth = read_annotated_image(image)
    rgb = shrunk_rgb(decoded)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(target, quality=_QUALITY)
    height, width = rgb.shape[:2]
    boxes = scale(truth.boxes, width / decoded.samples.shape[1], height / decoded.samples.shape[0])
    return {
        "width": width,
        "height": height,
        "boxes": written_boxes(truth, boxes, class_names),
        "exhaustive": [class_names[class_id] for class_id in sorted(image.exhaustive)],
    }


def shrunk_rgb(image: DecodedImage, max_side: int = MAX_SIDE_PX) -> Rgb:
    """Return the upright picture as RGB (H, W, 3), its longer side at most `max_side`."""
    height, width = image.samples.shape[:2]
    factor = min(1.0, max_side / max(height, width))
    return image.frames()[0].scale_rgb(max(1, round(width * factor)), max(1, round(height * factor)))


def written_boxes(truth: GroundTruth, boxes: NDArray[np.float32], class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Return `truth`, with its boxes at `boxes` (N, 4), as it is written in labels.jsonl."""
    written = []
    for class_id, box, ignored, score in zip(truth.class_ids, boxes, truth.ignored, truth.scores, strict=True):
        row: dict[str, Any] = {"label": class_names[class_id], "xyxy": [round(float(value), 1) for value in box]}
        if score < 1:
            row["score"] = round(float(score), 3)
        if ignored:
            row["ignore"] = True
        written.append(row)
    return written
