"""Strings, numbers and files read from annotation files; errors name the place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as brief
from typing import Any, NoReturn

from blurscene_stream.config.files import one_line
from blurscene_stream.errors import SourceError, reason
from blurscene_stream.json_lines import LineError, parse_json, parse_line

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MAX_COORDINATE = 1e9  # no image reaches that far, and results of less stay finite
MAX_DIGITS = 9  # of an integer


def refuse(where: str, message: str) -> NoReturn:
    """Raise SourceError in one line that begins with the place."""
    raise SourceError(f"{where}: {one_line(message)}")


def read_text(file: Path) -> str:
    """Read a UTF-8 file, with a byte order mark or without.

    Raises SourceError.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file}: cannot be read: it is not UTF-8 text") from error


def read_json(file: Path) -> Any:
    """Read a JSON file.

    Raises SourceError.
    """
    try:
        return parse_json(read_text(file))
    except LineError as error:
        raise SourceError(f"{file}: {error}") from error


def read_json_lines(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON value of each line that is not empty, with its place for error messages.

    Raises SourceError.
    """
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            where = f"{file}: line {number}"
            try:
                yield where, parse_line(line)
            except LineError as error:
                raise SourceError(f"{where} {error}") from error


def require(row: Any, key: str, types: type | tuple[type, ...], where: str) -> Any:
    """Return `row[key]`, which must be of one of the types.

    Raises SourceError when it is missing or of another type.
    """
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, types) or isinstance(value, bool):
        refuse(where, f"{key!r} is missing or of another type than expected")
    return value


def require_number(row: Any, key: str, limits: tuple[float, float], where: str) -> float:
    """Return `row[key]`, a number within `limits`.

    Raises SourceError.
    """
    value, (low, high) = require(row, key, (int, float), where), limits
    if not low <= value <= high:  # NaN is not
        refuse(where, f"{key!r} must be a number from {low:g} to {high:g}, got {brief(value)}")
    return float(value)


def parse_xyxy(values: object, where: str) -> tuple[float, float, float, float]:
    """Parse the four numbers of a box, each at most MAX_COORDINATE.

    Raises SourceError.
    """
    try:
        if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 4:
            x0, y0, x1, y1 = (float(value) for value in values)
            if all(abs(value) <= MAX_COORDINATE for value in (x0, y0, x1, y1)):
                return x0, y0, x1, y1
    except (TypeError, ValueError, OverflowError):
        pass  # refused below, like another length
    refuse(where, f"a box must be four numbers, got {brief(values)}")


def parse_index(text: str) -> int | None:
    """Parse an integer that is not negative; None for anything else."""
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


def parse_size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return width and height where both are stated, else None."""
    sides = row.get("width"), row.get("height")
    width, height = (side if type(side) is int and 0 < side <= MAX_COORDINATE else None for side in sides)
    return (width, height) if width and height else None


def find_image(name: str, folders: Sequence[Path], where: str) -> Path:
    """Find the image `name` in the first of `folders` that has it.

    Raises SourceError when none has.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    refuse(where, f"the image {name} is missing")
