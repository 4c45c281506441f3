"""Numbers and texts out of label files, or an error that names the place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as brief
from typing import Any, NoReturn

from blurscene_stream.config.reading import one_line
from blurscene_stream.errors import SourceError, reason
from blurscene_stream.json_lines import LineError, parse_json, parse_line

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
LARGEST = 1e9  # no picture reaches that far, and what is calculated from less stays finite
MOST_DIGITS = 9  # of a whole number that is counted with


def refuse(where: str, what: str) -> NoReturn:
    """Raises SourceError."""
    raise SourceError(f"{where}: {one_line(what)}")


def text_of(file: Path) -> str:
    """What a text file holds: UTF-8, with the mark that some programs put in front or without.

    Raises SourceError.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file}: cannot be read: it is not UTF-8 text") from error


def json_of(file: Path) -> Any:
    """Parse a JSON file.

    Raises SourceError.
    """
    try:
        return parse_json(text_of(file))
    except LineError as error:
        raise SourceError(f"{file}: {error}") from error


def json_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """What stands in each line of a file, with the words that name the line in errors.

    Raises SourceError.
    """
    for number_of_line, line in enumerate(text_of(file).split("\n"), start=1):
        if line.strip():
            where = f"{file}: line {number_of_line}"
            try:
                yield where, parse_line(line)
            except LineError as error:
                raise SourceError(f"{where} {error}") from error


def field(row: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """`row[key]`, which must be of the kind.

    Raises SourceError when it is not there, or is something else.
    """
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        refuse(where, f"{key!r} is missing or is not what is expected there")
    return value


def number(row: Any, key: str, limits: tuple[float, float], where: str) -> float:
    """`row[key]`, a number within `limits`.

    Raises SourceError.
    """
    value, (low, high) = field(row, key, (int, float), where), limits
    if not low <= value <= high:  # nor is NaN
        refuse(where, f"{key!r} must be a number from {low:g} to {high:g}, got {brief(value)}")
    return float(value)


def corners(values: object, where: str) -> tuple[float, float, float, float]:
    """Four numbers, none of them absurdly large.

    Raises SourceError.
    """
    try:
        if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 4:
            x0, y0, x1, y1 = (float(value) for value in values)
            if all(abs(value) <= LARGEST for value in (x0, y0, x1, y1)):
                return x0, y0, x1, y1
    except (TypeError, ValueError, OverflowError):
        pass  # refused below, as what has another length is
    refuse(where, f"a box must be four numbers, got {brief(values)}")


def whole(text: str) -> int | None:
    """The whole number that a text is, None when it is something else."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height, where both are stated."""
    sides = row.get("width"), row.get("height")
    width, height = (side if type(side) is int and 0 < side <= LARGEST else None for side in sides)
    return (width, height) if width and height else None


def picture(name: str, folders: Sequence[Path], where: str) -> Path:
    """The picture `name` in the first of `folders` that has it.

    Raises SourceError when none has.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    refuse(where, f"the picture {name} is missing")
