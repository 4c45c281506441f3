"""Labelled pictures drawn on the fly: bright discs are faces, bright flat rectangles are licence plates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = ("face", "license_plate")


def draw_picture(rng: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], list[tuple[int, list[float]]]]:
    """A dark noisy picture with one disc and one rectangle, in halves of it, and their classes and boxes."""
    picture = rng.integers(0, 60, (size, size, 3)).astype(np.uint8)
    row, column = np.mgrid[:size, :size]
    radius = int(rng.integers(size // 10, size // 6))
    x, y = rng.integers(radius, size - radius), rng.integers(radius, size // 2 - radius)
    picture[(row - y) ** 2 + (column - x) ** 2 < radius**2] = (250, 200, 170)
    width = int(rng.integers(size // 4, size // 2))
    height = width // 3
    left, top = rng.integers(0, size - width), rng.integers(size // 2, size - height)
    picture[top : top + height, left : left + width] = (240, 240, 250)
    return picture, [
        (0, [float(each) for each in (x - radius, y - radius, x + radius, y + radius)]),
        (1, [float(each) for each in (left, top, left + width, top + height)]),
    ]


def write_jsonl(folder: Path, count: int, size: int = 128, seed: int = 0) -> Path:
    """A data set with labels.jsonl."""
    (folder / "images").mkdir(parents=True)
    rng, lines = np.random.default_rng(seed), []
    for number in range(count):
        picture, boxes = draw_picture(rng, size)
        Image.fromarray(picture).save(folder / "images" / f"{number:03}.png")
        labels = [{"label": CLASSES[class_id], "xyxy": box} for class_id, box in boxes]
        row = {"file": f"images/{number:03}.png", "width": size, "height": size, "boxes": labels}
        lines.append(json.dumps(row | {"exhaustive": CLASSES}) + "\n")
    (folder / "labels.jsonl").write_text("".join(lines))
    return folder


def write_yolo(folder: Path, count: int, size: int = 128, seed: int = 0) -> Path:
    """A data set with data.yaml, images/ and labels/."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    (folder / "data.yaml").write_text("names: [face, plate]\ntrain: images\n")
    rng = np.random.default_rng(seed)
    for number in range(count):
        picture, boxes = draw_picture(rng, size)
        Image.fromarray(picture).save(folder / "images" / f"{number:03}.png")
        lines = [
            f"{class_id} {(x0 + x1) / 2 / size} {(y0 + y1) / 2 / size} {(x1 - x0) / size} {(y1 - y0) / size}\n"
            for class_id, (x0, y0, x1, y1) in boxes
        ]
        (folder / "labels" / f"{number:03}.txt").write_text("".join(lines))
    return folder
