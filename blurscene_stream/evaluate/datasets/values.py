"""Numbers and texts out of label files, or an error that names the place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from blurscene_stream.errors import SourceError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def refuse(where: str, what: str) -> NoReturn:
    """Raises SourceError."""
    raise SourceError(f"{where}: {what}")


def field(row: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """`row[key]`, which must be of the kind.

    Raises SourceError when it is not there, or is something else.
    """
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        refuse(where, f"{key!r} is missing or is not what is expected there")
    return value


def corners(values: object, where: str) -> tuple[float, float, float, float]:
    """Four finite numbers.

    Raises SourceError.
    """
    if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 4:
        try:
            x0, y0, x1, y1 = (float(value) for value in values)
        except (TypeError, ValueError):
            refuse(where, f"a box must be four numbers, got {values!r}"[:200])
        if all(math.isfinite(value) for value in (x0, y0, x1, y1)):
            return x0, y0, x1, y1
    refuse(where, f"a box must be four numbers, got {values!r}"[:200])


def size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height, where both are stated."""
    width, height = row.get("width"), row.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width and height else None


def picture(name: str, folders: Sequence[Path], where: str) -> Path:
    """The picture `name` in the first of `folders` that has it.

    Raises SourceError when none has.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    refuse(where, f"the picture {name} is missing")
