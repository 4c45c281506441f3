"""YOLO's text files: a line `class x y width height` an object, middle and sides as shares of the picture's sides.

The labels of a picture lie beside it, or where its path has `labels` for `images`; a picture without has no objects.
The names of the classes are `names` in data.yaml, or the lines of classes.txt. More than four numbers are the corners
of a polygon (Ultralytics' segmentation labels); the box around them counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from blurscene_stream.config.reading import read_yaml
from blurscene_stream.evaluate.datasets.values import PICTURES, corners, refuse
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
        yield Entry(file, boxes, None, names, relative=True)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)


def _label_file(file: Path) -> Path:
    beside = file.with_suffix(".txt")
    parts = list(file.absolute().parts)
    if beside.is_file() or "images" not in parts:
        return beside
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")


def _names(file: Path) -> list[str]:
    if file.suffix not in (".yaml", ".yml"):
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = read_yaml(file, str(file)).get("names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)] if all(str(key).isdigit() for key in names) else None
    if not isinstance(names, list) or not names:
        refuse(str(file), "'names' must be the names of the classes")
    return [str(name) for name in names]


def _boxes(labels: Path, names: Sequence[str]) -> Iterator[Box]:
    for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{labels}: line {number}"
        kind, *numbers = line.split() or [""]
        if not line.strip():
            continue
        if not kind.isdigit() or int(kind) >= len(names):
            refuse(where, f"class {kind} has no name; there are {len(names)}")
        if len(numbers) == 4:
            x, y, width, height = corners(numbers, where)
            yield Box(names[int(kind)], (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            across, down = numbers[::2], numbers[1::2]
            outer = [pick(map(_number, values)) for pick in (min, max) for values in (across, down)]
            yield Box(names[int(kind)], corners(outer, where))
        else:
            refuse(where, "must be a class and 4 numbers, or a class and the corners of a polygon")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # refused with its place by `corners`
