"""YOLO's text files: a line `class x y width height` an object, middle and sides as shares of the picture's sides.

The labels of a picture lie beside it, or where its path has `labels` for `images`; a picture without has no objects.
The names of the classes are `names` in data.yaml, or the lines of classes.txt. More than four numbers are the corners
of a polygon (Ultralytics' segmentation labels); the box around them counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief

from blurscene_stream.config.reading import read_yaml
from blurscene_stream.evaluate.datasets.values import LARGEST, PICTURES, corners, refuse, text_of, whole
from blurscene_stream.evaluate.labels import Box, Entry

NAME_FILES = ("data.yaml", "data.yml", "classes.txt", "obj.names")


def find(place: Path) -> Path | None:
    """A folder of pictures, or the file with the names of the classes; None when it is something else."""
    return place if _name_file(place) is not None else None


def _name_file(place: Path) -> Path | None:
    """The file with the names: `place` itself, in it, or up to two folders above, as splits have it."""
    if place.is_file():
        return place if place.name in NAME_FILES else None
    above = place.absolute().parents[:2] if _has_texts(place) else ()
    folders = (place, place / "labels", *above)
    return next((folder / name for folder in folders for name in NAME_FILES if (folder / name).is_file()), None)


def _has_texts(folder: Path) -> bool:
    return any(_label_file(file).is_file() for file in _pictures(folder))


def read(place: Path) -> Iterator[Entry]:
    """Every picture below the folder.

    Raises SourceError when labels cannot be understood or belong to no picture, ConfigError for a broken data.yaml.
    """
    name_file = _name_file(place)
    assert name_file is not None
    names = _names(name_file)
    for file in _pictures(place if place.is_dir() else place.parent):
        labels = _label_file(file)
        boxes = list(_boxes(labels, names)) if labels.is_file() else []
        yield Entry(file, boxes, None, list(names.values()), relative=True)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)


def _label_file(file: Path) -> Path:
    beside = file.with_suffix(".txt")
    parts = list(file.absolute().parts)
    if beside.is_file() or "images" not in parts:
        return beside
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")


def _names(file: Path) -> dict[int, str]:
    """The name of each class, by its number; there may be gaps."""
    if file.suffix not in (".yaml", ".yml"):
        lines = map(str.strip, text_of(file).split("\n"))
        return {number: line for number, line in enumerate(lines) if line}
    names = read_yaml(file, str(file)).get("names")
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        refuse(str(file), "'names' must be the names of the classes")
    numbers = {whole(str(key)): str(name) for key, name in listed.items()}
    known = {number: name for number, name in numbers.items() if number is not None}
    if len(known) < len(listed):
        refuse(str(file), "'names' must have a whole number for each class, each another one")
    return known


def _boxes(labels: Path, names: Mapping[int, str]) -> Iterator[Box]:
    for number, line in enumerate(text_of(labels).split("\n"), start=1):
        where = f"{labels}: line {number}"
        if not line.strip():
            continue
        kind, *numbers = line.split()
        label = whole(kind)
        name = None if label is None else names.get(label)
        if name is None:
            refuse(where, f"class {kind} has no name; names are given to {', '.join(map(str, names))}")
        if len(numbers) == 4:
            x, y, width, height = corners(numbers, where)
            yield Box(name, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            points = [_number(each, where) for each in numbers]
            across, down = points[::2], points[1::2]
            yield Box(name, (min(across), min(down), max(across), max(down)))
        else:
            refuse(where, "must be a class and 4 numbers, or a class and the corners of a polygon")


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= LARGEST:
        refuse(where, f"{brief(text)} is not a number")
    return value
