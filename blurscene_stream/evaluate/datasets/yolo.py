"""YOLO annotations: a line `class x y width height` for each object, center and sides relative to the image.

The annotations of an image lie beside it, or where its path has `labels` for `images`; an image without has no objects.
The class names are `names` in data.yaml, or the lines of classes.txt. More than four numbers are the corners of a
polygon (Ultralytics' segmentation labels), of which the bounding box counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief

from blurscene_stream.config.files import read_yaml
from blurscene_stream.evaluate.annotations import Annotation, ImageAnnotations
from blurscene_stream.evaluate.datasets.parsing import (
    IMAGE_SUFFIXES,
    MAX_COORDINATE,
    parse_index,
    parse_xyxy,
    read_text,
    refuse,
)

NAME_FILES = ("data.yaml", "data.yml", "classes.txt", "obj.names")


def find(path: Path) -> Path | None:
    """Return `path` if it is a folder of images with annotations or the file with the class names, else None."""
    return path if _name_file(path) is not None else None


def _name_file(path: Path) -> Path | None:
    """Find the file with the class names: `path` itself, in it, or up to two folders above, as splits have it."""
    if path.is_file():
        return path if path.name in NAME_FILES else None
    above = path.absolute().parents[:2] if _has_annotations(path) else ()
    folders = (path, path / "labels", *above)
    return next((folder / name for folder in folders for name in NAME_FILES if (folder / name).is_file()), None)


def _has_annotations(folder: Path) -> bool:
    return any(_label_file(file).is_file() for file in _images(folder))


def read(path: Path) -> Iterator[ImageAnnotations]:
    """Yield the annotations of every image below the folder.

    Raises SourceError when they cannot be read, ConfigError for a broken data.yaml.
    """
    name_file = _name_file(path)
    assert name_file is not None
    names = _names(name_file)
    for file in _images(path if path.is_dir() else path.parent):
        labels = _label_file(file)
        annotations = list(_annotations(labels, names)) if labels.is_file() else []
        yield ImageAnnotations(file, annotations, None, list(names.values()), relative=True)


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)


def _label_file(file: Path) -> Path:
    beside = file.with_suffix(".txt")
    parts = list(file.absolute().parts)
    if beside.is_file() or "images" not in parts:
        return beside
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")


def _names(file: Path) -> dict[int, str]:
    """Read the class names by number; there may be gaps."""
    if file.suffix not in (".yaml", ".yml"):
        lines = map(str.strip, read_text(file).split("\n"))
        return {number: line for number, line in enumerate(lines) if line}
    names = read_yaml(file, str(file)).get("names")
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        refuse(str(file), "'names' must be the names of the classes")
    numbers = {parse_index(str(key)): str(name) for key, name in listed.items()}
    known = {number: name for number, name in numbers.items() if number is not None}
    if len(known) < len(listed):
        refuse(str(file), "'names' must have a whole number for each class, each another one")
    return known


def _annotations(labels: Path, names: Mapping[int, str]) -> Iterator[Annotation]:
    for number, line in enumerate(read_text(labels).split("\n"), start=1):
        where = f"{labels}: line {number}"
        if not line.strip():
            continue
        class_number, *numbers = line.split()
        index = parse_index(class_number)
        name = None if index is None else names.get(index)
        if name is None:
            refuse(where, f"class {class_number} has no name; names are given to {', '.join(map(str, names))}")
        if len(numbers) == 4:
            x, y, width, height = parse_xyxy(numbers, where)
            yield Annotation(name, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            points = [_coordinate(each, where) for each in numbers]
            xs, ys = points[::2], points[1::2]
            yield Annotation(name, (min(xs), min(ys), max(xs), max(ys)))
        else:
            refuse(where, "must be a class and 4 numbers, or a class and the corners of a polygon")


def _coordinate(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MAX_COORDINATE:
        refuse(where, f"{brief(text)} is not a number")
    return value
