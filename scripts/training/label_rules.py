"""Labels of the public repositories, each in its own form, as boxes."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

from scripts.training.snapshots import Snapshot

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1"""


class Labels(NamedTuple):
    """Boxes of a picture, and the size in whose pixels they are; None: its own; (1, 1): shares of its sides."""

    boxes: Sequence[Box]
    size: tuple[int, int] | None


Rule = Callable[..., Labels | None]
"""Reads the labels of a picture by the repository's snapshot and the picture's path; None where it has none."""


def yolo(snapshot: Snapshot, path: str, classes: Sequence[int] | None = None) -> Labels | None:
    """YOLO's text files, boxes or polygons, in `labels` where the picture is in `images`; `classes`: None for all."""
    content = snapshot.read(_beside(path, "labels", ".txt"))
    if content is None:
        return None
    boxes = []
    for line in content.decode("utf8", "replace").splitlines():
        words = line.split()
        if len(words) < 5 or (classes is not None and int(float(words[0])) not in classes):
            continue
        values = [float(word) for word in words[1:]]
        if len(values) >= 6 and len(values) % 2 == 0:
            boxes.append((min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])))
        else:
            x, y, width, height = values[:4]
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return Labels(boxes, (1, 1))


def voc(snapshot: Snapshot, path: str, folder: str, skip: Sequence[str] = ()) -> Labels | None:
    """Pascal VOC's XML in `folder`: "." beside the picture, "/NAME" from the root, "NAME" in place of `images`.

    skip: names of objects that are left out
    """
    stem = PurePosixPath(path).stem
    if folder.startswith("/"):
        file = f"{folder[1:]}/{stem}.xml"
    else:
        file = str(PurePosixPath(path).with_suffix(".xml")) if folder == "." else _beside(path, folder, ".xml")
    content = snapshot.read(file)
    if content is None:
        return None
    root = ElementTree.fromstring(content)
    size = tuple(int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    objects = [each for each in root.iter("object") if (each.findtext("name") or "").strip() not in skip]
    corners = [[each.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")] for each in objects]
    boxes = [tuple(map(float, each)) for each in corners if None not in each]  # type: ignore[arg-type]
    return Labels(boxes, (size[0], size[1]) if min(size) > 0 else None)  # type: ignore[arg-type]


def openlpr(snapshot: Snapshot, path: str) -> Labels | None:
    """openlpr's SQLite database, one for each folder."""
    part, _, name = path.partition("/")
    return _openlpr_labels(snapshot, part).get(name)


@lru_cache(maxsize=4)
def _openlpr_labels(snapshot: Snapshot, part: str) -> dict[str, Labels]:
    databases = sorted(file for file in snapshot.files if PurePosixPath(file).name == f"{part}.db")
    content = snapshot.read(databases[0]) if databases else None
    if content is None:
        return {}
    query = "select filename, imwidth, imheight, imgareas from annotations where not coalesce(isdeleted, 0)"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.db"
        file.write_bytes(content)
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(query).fetchall()
    return {name: Labels(_openlpr_boxes(areas), (width, height)) for name, width, height, areas in rows}


def _openlpr_boxes(areas: str | None) -> list[Box]:
    plates = [area for area in json.loads(areas or "[]") if area["lbltxt"] == "plate"]
    return [(area["x"], area["y"], area["x"] + area["width"], area["y"] + area["height"]) for area in plates]


def iwpod(snapshot: Snapshot, path: str) -> Labels | None:
    """iwpod-net's lines: the number of corners, all their x, all their y."""
    content = snapshot.read(str(PurePosixPath(path).with_suffix(".txt")))
    if content is None:
        return None
    boxes = []
    for line in content.decode("utf8", "replace").splitlines():
        words = line.split(",")
        if words[0] == "4":
            values = [float(word) for word in words[1:9]]
            boxes.append((min(values[:4]), min(values[4:]), max(values[:4]), max(values[4:])))
    return Labels(boxes, (1, 1))


RULES: dict[str, Rule] = {"yolo": yolo, "voc": voc, "openlpr": openlpr, "iwpod": iwpod}


def _beside(path: str, folder: str, suffix: str) -> str:
    """The path with its last folder `images` called `folder`, and with another suffix; "" where it has none."""
    parts = list(PurePosixPath(path).with_suffix(suffix).parts)
    if "images" not in parts[:-1]:
        return ""
    last = len(parts) - 2 - parts[-2::-1].index("images")
    return "/".join([*parts[:last], folder, *parts[last + 1 :]])
