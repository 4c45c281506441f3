"""Rebuild of a picture set out of public repositories: pictures, and labels in the form that `evaluate` reads."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from scripts.training.label_rules import RULES, Labels
from scripts.training.manifest import PictureSet, Reencoding, SourceFile
from scripts.training.snapshots import Snapshot, SnapshotError

_MIN_SIDE_PX = 2  # of a box
_LFS_POINTER = b"version https://git-lfs"
_MAX_ASPECT_DIFFERENCE = 0.02

Size = tuple[int, int]
"""Width and height."""


@dataclass
class Rebuilt:
    """A rebuilt set; `problems`: how many pictures are missing, by what was wrong."""

    images: int = 0
    boxes: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    @property
    def as_recorded(self) -> bool:
        """Whether it is what it was when this project's weights were trained."""
        return not self.problems and not self.differences


def rebuild(picture_set: PictureSet, repositories: Path, out: Path) -> Rebuilt:
    """Write `out`/SET/images/* and `out`/SET/labels.jsonl; `repositories`: where snapshots are kept.

    Raises SnapshotError when a repository is gone.
    """
    folder = out / picture_set.name
    (folder / "images").mkdir(parents=True, exist_ok=True)
    made, rows, unchanged = Rebuilt(), list[dict[str, Any]](), dict[str, bytes]()
    for repository in picture_set.repositories():
        with Snapshot(repositories, repository.name, repository.commit) as snapshot:
            for file in repository.files:
                try:
                    row, content = _rebuild_one(picture_set, snapshot, file)
                except (
                    SnapshotError,
                    ValueError,
                    KeyError,
                    SyntaxError,
                ) as error:  # broken labels; ElementTree's errors
                    made.problems[str(error)] += 1
                    continue
                (folder / row["file"]).write_bytes(content)
                rows.append(row)
                if file.reencoding is None:
                    unchanged[row["file"]] = hashlib.sha256(content).digest()
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made.images, made.boxes = len(rows), sum(_labelled(row) for row in rows)
    found = {"labels": label_digest(rows), "images": _digest(unchanged[name] for name in sorted(unchanged))}
    made.differences = [name for name, value in found.items() if value != picture_set.digest[name]]
    return made


def _rebuild_one(picture_set: PictureSet, snapshot: Snapshot, file: SourceFile) -> tuple[dict[str, Any], bytes]:
    """A line of labels.jsonl, and the picture. Raises ValueError when something of it is missing."""
    content = snapshot.read(file.path)
    if content is None or content.startswith(_LFS_POINTER):
        raise ValueError("picture missing")
    full = size = _size(content)
    if file.reencoding is not None:
        content, full, size = _reencode(content, file.reencoding)
    label, labels = _read_labels(picture_set, snapshot, file.path)
    name = f"images/{picture_set.file_name(file, content)}"
    boxes = [{"label": label, "xyxy": box} for box in _scaled(labels, full, size)]
    row = {"file": name, "width": size[0], "height": size[1], "boxes": boxes, "exhaustive": picture_set.exhaustive}
    if name in picture_set.incomplete:
        more = [{"label": "face", "xyxy": list(box), "ignore": True} for box in picture_set.incomplete[name]]
        row |= {"boxes": boxes + more, "exhaustive": []}
    return row, content


def _read_labels(picture_set: PictureSet, snapshot: Snapshot, path: str) -> tuple[str, Labels]:
    """The class of a picture's labels, and the labels. Raises ValueError when they are missing."""
    if picture_set.labels is None:
        return "", Labels([], None)
    arguments = {key: value for key, value in picture_set.labels.items() if key not in {"rule", "label"}}
    labels = RULES[picture_set.labels["rule"]](snapshot, path, **arguments)
    if labels is None:
        raise ValueError("label missing")
    return picture_set.labels["label"], labels


def _size(content: bytes) -> Size:
    """Stored width and height. Raises ValueError."""
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except OSError as error:
        raise ValueError("picture undecodable") from error


def _reencode(content: bytes, how: Reencoding) -> tuple[bytes, Size, Size]:
    """The picture as a smaller JPEG, its size before, and after. Raises ValueError."""
    flag = cv2.IMREAD_COLOR if how.upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if image is None:
        raise ValueError("picture undecodable")
    full = image.shape[1], image.shape[0]
    if abs(full[0] / full[1] * how.height / how.width - 1) > _MAX_ASPECT_DIFFERENCE:
        raise ValueError("picture changed")
    if full != (how.width, how.height):
        image = cv2.resize(image, (how.width, how.height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, how.quality])
    return encoded.tobytes(), full, (how.width, how.height)


def _scaled(labels: Labels, full: Size, size: Size) -> list[list[float]]:
    """Boxes in pixels of the picture, clipped to it, in tenths; those without two pixels of each side are left out."""
    stated, shrink = labels.size or full, max(size) / max(full)
    border = np.array([*size, *size], float)
    scale = np.array([full[axis] / stated[axis] * shrink for axis in (0, 1)] * 2)
    boxes = np.array(labels.boxes, float).reshape(-1, 4) * scale
    corners = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)
    inside = np.clip(corners, 0, border)
    kept = (inside[:, 2:] - inside[:, :2] >= _MIN_SIDE_PX).all(axis=1)
    return [[round(value, 1) for value in box] for box in inside[kept].tolist()]


def _labelled(row: dict[str, Any]) -> int:
    return sum(not box.get("ignore", False) for box in row["boxes"])


def label_digest(rows: list[dict[str, Any]]) -> str:
    """Return the digest of the labels: pictures by name, boxes in tenths of a pixel."""
    lines = []
    for row in sorted(rows, key=lambda row: str(row["file"])):
        boxes = [box for box in row["boxes"] if not box.get("ignore", False)]
        written = [[box["label"], *(f"{value:.1f}" for value in box["xyxy"])] for box in boxes]
        line = [row["file"], row["width"], row["height"], written, list(row["exhaustive"])]
        lines.append(json.dumps(line).encode())
    return _digest(lines)


def _digest(parts: Any) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()[:16]
