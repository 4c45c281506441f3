"""COCO's JSON (cocodataset.org, "Data format", object detection): `images`, `annotations`, `categories`.

`bbox` is x, y, width, height. `iscrowd` and `ignore` mark what need not be found. Every category that is listed is
taken to be labelled exhaustively. An annotation of a picture that is not listed is refused: it would be left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any

from blurscene_stream.evaluate.datasets.values import corners, field, json_of, picture, refuse, size
from blurscene_stream.evaluate.labels import Box, Entry

BESIDE = (".", "images", "..", "../images", "data")  # where the pictures may lie, seen from the JSON
IDS = (int, str, float)  # what tools write as ids

Id = int | str | float


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
    tree = json_of(labels)
    categories = _categories(tree, where)
    pictures = _by_id(tree, "images", where)
    boxes = _boxes(tree, categories, pictures, where)
    folders = [labels.parent / folder for folder in BESIDE]
    names = sorted(set(categories.values()))
    for key, (here, row) in pictures.items():
        file = picture(field(row, "file_name", str, here), folders, here)
        yield Entry(file, boxes.get(key, []), size(row), names)


def _rows(tree: Any, key: str, where: str) -> Iterator[tuple[str, Any]]:
    """What is listed under `key`, each with the words that name it in errors."""
    for place, row in enumerate(field(tree, key, list, where)):
        yield f"{where}: {key}[{place}]", row


def _by_id(tree: Any, key: str, where: str) -> dict[Id, tuple[str, Any]]:
    """What is listed under `key`, by its id."""
    found: dict[Id, tuple[str, Any]] = {}
    for here, row in _rows(tree, key, where):
        known = found.setdefault(field(row, "id", IDS, here), (here, row))
        if known[1] is not row:
            refuse(here, f"has the id {brief(row['id'])} of another one")
    return found


def _categories(tree: Any, where: str) -> dict[Id, str]:
    rows = _by_id(tree, "categories", where)
    return {key: field(row, "name", str, here) for key, (here, row) in rows.items()}


def _boxes(tree: Any, categories: Mapping[Id, str], pictures: Container[Id], where: str) -> dict[Id, list[Box]]:
    """The boxes of each picture, by its id."""
    boxes: dict[Id, list[Box]] = defaultdict(list)
    for here, row in _rows(tree, "annotations", where):
        x, y, width, height = corners(field(row, "bbox", list, here), here)
        kind, image = field(row, "category_id", IDS, here), field(row, "image_id", IDS, here)
        if kind not in categories:
            refuse(here, f"its category {brief(kind)} is not listed in 'categories'")
        if image not in pictures:
            refuse(here, f"its picture {brief(image)} is not listed in 'images'")
        counts = not (row.get("iscrowd") or row.get("ignore"))
        boxes[image].append(Box(categories[kind], (x, y, x + width, y + height), counts))
    return boxes
