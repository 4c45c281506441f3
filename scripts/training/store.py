"""The store: all training images, with their smaller levels, in one flat tensor on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import AnnotatedImage
from blurscene_stream.evaluate.datasets import read_dataset
from scripts.training.hard import Hardness

LEVELS = 3
"""An image at its size, half and a quarter of it: crops are drawn from the one that is hardly larger than they."""

SURE = (0.40, 0.55)
"""By class id: what a teacher scored higher, and did not call an object, is ignored; below, its score is the target."""

_FEW, _MANY = 1, 4
_EMPTY_WEIGHT, _CROWD_WEIGHT = 0.5, 1.6


@dataclass(frozen=True)
class Level:
    """Where an image of height x width pixels, RGB, begins in the store."""

    offset: int
    height: int
    width: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Return the three numbers."""
        return self.offset, self.height, self.width


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """An image with its annotations.

    boxes:    float32 (N, 6), see `targets.Boxes`, in pixels of the image
    labelled: by class id, whether the class is annotated
    weight:   how often it is drawn, relative to others
    """

    file: Path
    width: int
    height: int
    boxes: NDArray[np.float32]
    labelled: tuple[bool, ...]
    weight: float


def read_training_images(
    folder: Path, set_weights: Mapping[str, float], hard: Mapping[Path, Hardness] | None = None
) -> list[TrainingImage]:
    """Read the annotations in `folder`, as `pack` wrote them: images/SET/NAME.webp and labels.jsonl.

    set_weights: by the name of a set, 1 for others; with 0 a set is left out
    hard:        by the path of a picture, in which an earlier network was wrong

    Raises SourceError.
    """
    class_names = Settings().model.classes
    dataset = read_dataset(folder, ClassMapping(class_names))
    hardness = {image.file: (hard or {}).get(image.file, Hardness()) for image in dataset.images}
    images = [_training_image(each, set_weights, len(class_names), hardness[each.file]) for each in dataset.images]
    return [image for image in images if image.weight > 0]


def _training_image(
    image: AnnotatedImage, set_weights: Mapping[str, float], classes: int, hard: Hardness
) -> TrainingImage:
    assert image.size is not None, "`pack` writes sizes"
    width, height = image.size
    doubts = [
        doubt(class_id, score) if ignored else 0.0
        for class_id, score, ignored in zip(image.class_ids, image.scores, image.ignored, strict=True)
    ]
    for index in hard.left_out:
        doubts[index] = 1.0
    rows = np.concatenate([image.class_ids[:, None], image.boxes, np.array(doubts).reshape(-1, 1)], axis=1)
    objects = doubts.count(0.0)
    weight = hard.weight * (_EMPTY_WEIGHT if objects < _FEW else 1.0 if objects < _MANY else _CROWD_WEIGHT)
    labelled = tuple(class_id in image.exhaustive for class_id in range(classes))
    set_weight = set_weights.get(image.file.parent.name, 1.0)
    return TrainingImage(image.file, width, height, rows.astype(np.float32), labelled, weight * set_weight)


def doubt(class_id: int, score: float) -> float:
    """Return the doubt, see `targets.Boxes`, of an ignored box with a teacher's score."""
    return score if score <= SURE[class_id] else 1.0


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image in the store; `levels`: the finest first."""

    image: TrainingImage
    levels: tuple[Level, ...]


class Store:
    """Images in one flat uint8 tensor, `pixels`."""

    def __init__(self, images: Sequence[TrainingImage], device: torch.device, threads: int = 8) -> None:
        """Decode all images, side by side. Raises OSError and ValueError for one that cannot be read."""
        self.images: list[StoredImage] = []
        end = 0
        for image in images:
            levels, height, width = list[Level](), image.height, image.width
            for _ in range(LEVELS):
                levels.append(Level(end, height, width))
                end += height * width * 3
                height, width = max(1, height // 2), max(1, width // 2)
            self.images.append(StoredImage(image, tuple(levels)))
        self.pixels = torch.empty(end, dtype=torch.uint8, device=device)
        with ThreadPoolExecutor(threads) as pool:
            for stored, pixels in zip(self.images, pool.map(_decode, images), strict=True):
                self._put(stored.levels, pixels)

    def _put(self, levels: Sequence[Level], pixels: NDArray[np.uint8]) -> None:
        level = torch.from_numpy(pixels).to(self.pixels.device)
        for place in levels:
            if level.shape[:2] != (place.height, place.width):
                level = _halved(level)
            self.pixels[place.offset : place.offset + level.numel()] = level.flatten()


def _decode(image: TrainingImage) -> NDArray[np.uint8]:
    """RGB (H, W, 3). Raises ValueError when it has another size than the annotations say."""
    with Image.open(image.file) as opened:
        pixels = np.array(opened.convert("RGB"))
    if pixels.shape[:2] != (image.height, image.width):
        raise ValueError(f"{image.file}: is {pixels.shape[1]}x{pixels.shape[0]}, its annotations are for another size")
    return pixels


def _halved(level: Tensor) -> Tensor:
    """Mean of 2 x 2 pixels; an odd last row or column is left out, a single one stays."""
    height, width = (max(1, side // 2) for side in level.shape[:2])
    down, across = min(2, level.shape[0]), min(2, level.shape[1])
    parts = level[: height * down, : width * across].reshape(height, down, width, across, 3)
    return parts.to(torch.float32).mean((1, 3)).round().to(torch.uint8)
