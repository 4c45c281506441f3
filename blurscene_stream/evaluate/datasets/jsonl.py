"""Our own labels: one picture a line.

{"file": ..., "width": ..., "height": ..., "boxes": [{"label": ..., "xyxy": [x0, y0, x1, y1]}], "exhaustive": [...]}
in pixels of the stored file, `file` relative to the labels. A box with "ignore": true need not be found. Without
"exhaustive", every class that the file has is taken to be labelled exhaustively.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blurscene_stream.evaluate.datasets.values import corners, field, json_rows, picture, refuse, size
from blurscene_stream.evaluate.labels import Box, Entry


def find(place: Path) -> Path | None:
    """The file with the labels, if `place` is one or holds one."""
    labels = place / "labels.jsonl" if place.is_dir() else place
    return labels if labels.suffix == ".jsonl" and labels.is_file() else None


def read(labels: Path) -> Iterator[Entry]:
    """Every picture of the file.

    Raises SourceError.
    """
    for where, row in json_rows(labels):
        yield _entry(row, labels.parent, where)


def _entry(row: Any, folder: Path, where: str) -> Entry:
    boxes = [
        Box(field(box, "label", str, where), corners(box.get("xyxy"), where), not box.get("ignore", False))
        for box in field(row, "boxes", list, where)
    ]
    exhaustive = row.get("exhaustive")
    named = isinstance(exhaustive, list) and all(isinstance(one, str) for one in exhaustive)
    if exhaustive is not None and not named:
        refuse(where, "'exhaustive' must be a list of labels")
    return Entry(picture(field(row, "file", str, where), [folder], where), boxes, size(row), exhaustive)
