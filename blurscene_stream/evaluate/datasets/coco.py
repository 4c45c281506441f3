"""COCO's JSON (cocodataset.org, "Data format", object detection): `images`, `annotations`, `categories`.

`bbox` is x, y, width, height. `iscrowd` and `ignore` mark what need not be found. Every category that is listed is
taken to be labelled exhaustively.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blurscene_stream.evaluate.datasets.values import corners, field, picture, refuse, size
from blurscene_stream.evaluate.labels import Box, Entry

BESIDE = (".", "images", "..", "../images", "data")  # where the pictures may lie, seen from the JSON


def find(place: Path) -> Path | None:
    """The one file with annotations, if `place` is one or holds one.

    Raises SourceError when a folder holds several: it must be said which.
    """
    if place.is_file():
        return place if place.suffix == ".json" else None
    found = sorted(file for pattern in ("*.json", "annotations/*.json") for file in place.glob(pattern))
    if len(found) > 1:
        refuse(str(place), f"holds {len(found)} .json files; give one of them, such as {found[0]}")
    return found[0] if found else None


def read(labels: Path) -> Iterator[Entry]:
    """Every picture of the file.

    Raises SourceError.
    """
    where = str(labels)
    try:
        tree = json.loads(labels.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        refuse(where, "not JSON")
    categories = {row.get("id"): field(row, "name", str, where) for row in field(tree, "categories", list, where)}
    boxes = _boxes(field(tree, "annotations", list, where), categories, where)
    folders = [labels.parent / folder for folder in BESIDE]
    names = sorted(set(categories.values()))
    for row in field(tree, "images", list, where):
        file = picture(field(row, "file_name", str, where), folders, where)
        yield Entry(file, boxes.get(row.get("id"), []), size(row), names)


def _boxes(rows: list[Any], categories: dict[Any, str], where: str) -> dict[Any, list[Box]]:
    """The boxes of each picture, by its id."""
    boxes: dict[Any, list[Box]] = defaultdict(list)
    for row in rows:
        bbox = field(row, "bbox", list, where)
        x, y, width, height = corners(bbox, where)
        if row.get("category_id") not in categories:
            refuse(where, f"an annotation has category {row.get('category_id')!r}, which is not listed")
        counts = not (row.get("iscrowd") or row.get("ignore"))
        box = Box(categories[row["category_id"]], (x, y, x + width, y + height), counts)
        boxes[row.get("image_id")].append(box)
    return boxes
