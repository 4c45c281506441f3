"""COCO annotations (cocodataset.org, "Data format", object detection): `images`, `annotations`, `categories`.

`bbox` is x, y, width, height. `iscrowd` and `ignore` mark ignored objects. Every category that is listed is taken to be
annotated exhaustively. An annotation of an image that is not listed is refused: it would be left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any

from blurscene_stream.evaluate.annotations import Annotation, ImageAnnotations
from blurscene_stream.evaluate.datasets.parsing import (
    find_image,
    parse_size,
    parse_xyxy,
    read_json,
    refuse,
    require,
)

IMAGE_FOLDERS = (".", "images", "..", "../images", "data")  # relative to the JSON file
ID_TYPES = (int, str, float)  # as tools write them

Id = int | str | float


def find(path: Path) -> Path | None:
    """Find the annotation file: `path` itself, or the only one in it.

    Raises SourceError when a folder holds several.
    """
    if path.is_file():
        return path if path.suffix == ".json" else None
    found = sorted(file for pattern in ("*.json", "annotations/*.json") for file in path.glob(pattern))
    if len(found) > 1:
        refuse(str(path), f"holds {len(found)} .json files; give one of them, such as {found[0]}")
    return found[0] if found else None


def read(file: Path) -> Iterator[ImageAnnotations]:
    """Yield the annotations of every image in the file.

    Raises SourceError.
    """
    where = str(file)
    tree = read_json(file)
    categories = _categories(tree, where)
    images = _by_id(tree, "images", where)
    annotations = _annotations(tree, categories, images, where)
    folders = [file.parent / folder for folder in IMAGE_FOLDERS]
    names = sorted(set(categories.values()))
    for image_id, (here, row) in images.items():
        image = find_image(require(row, "file_name", str, here), folders, here)
        yield ImageAnnotations(image, annotations.get(image_id, []), parse_size(row), names)


def _rows(tree: Any, key: str, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the items of the list `key`, each with its place for error messages."""
    for index, row in enumerate(require(tree, key, list, where)):
        yield f"{where}: {key}[{index}]", row


def _by_id(tree: Any, key: str, where: str) -> dict[Id, tuple[str, Any]]:
    """Return the items of the list `key` by id, each with its place for error messages."""
    found: dict[Id, tuple[str, Any]] = {}
    for here, row in _rows(tree, key, where):
        known = found.setdefault(require(row, "id", ID_TYPES, here), (here, row))
        if known[1] is not row:
            refuse(here, f"has the id {brief(row['id'])} of another one")
    return found


def _categories(tree: Any, where: str) -> dict[Id, str]:
    rows = _by_id(tree, "categories", where)
    return {key: require(row, "name", str, here) for key, (here, row) in rows.items()}


def _annotations(
    tree: Any, categories: Mapping[Id, str], images: Container[Id], where: str
) -> dict[Id, list[Annotation]]:
    """Return the annotations by image id."""
    annotations: dict[Id, list[Annotation]] = defaultdict(list)
    for here, row in _rows(tree, "annotations", where):
        x, y, width, height = parse_xyxy(require(row, "bbox", list, here), here)
        category, image = require(row, "category_id", ID_TYPES, here), require(row, "image_id", ID_TYPES, here)
        if category not in categories:
            refuse(here, f"its category {brief(category)} is not listed in 'categories'")
        if image not in images:
            refuse(here, f"its image {brief(image)} is not listed in 'images'")
        ignored = bool(row.get("iscrowd") or row.get("ignore"))
        annotations[image].append(Annotation(categories[category], (x, y, x + width, y + height), ignored))
    return annotations
