"""The store: all training images, with their smaller levels, in one flat tensor on the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.errors import SourceError, reason

LEVELS = 3
"""An image at its size, half and a quarter of it: crops are drawn from the one that is hardly larger than they."""


@dataclass(frozen=True)
class Level:
    """Where an image of height x width pixels, RGB, begins in the store."""

    offset: int
    height: int
    width: int

    @property
    def end(self) -> int:
        """Return where it ends."""
        return self.offset + self.height * self.width * 3

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


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image in the store; `levels`: the finest first; `shard`: with which its pixels come."""

    image: TrainingImage
    levels: tuple[Level, ...]
    shard: int


class Store:
    """Images of one or more shards in one flat uint8 tensor, `pixels`.

    images: all of them, those too whose pixels are not there yet
    filled: bool (shards,), of which ones they are; in shared memory, for the processes that plan crops read it
    """

    def __init__(self, shards: Sequence[Sequence[TrainingImage]], device: torch.device) -> None:
        """Find a place for all images."""
        self.images: list[StoredImage] = []
        end = 0
        for number, images in enumerate(shards):
            for image in images:
                levels = _levels(image, end)
                end = levels[-1].end
                self.images.append(StoredImage(image, levels, number))
        self.pixels = torch.empty(end, dtype=torch.uint8, device=device)
        self.filled = torch.zeros(len(shards), dtype=torch.bool).share_memory_()  # type: ignore[no-untyped-call]
        # Copies on a stream of their own do not wait for the steps of training that are queued.
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def fill(self, shard: int, pictures: Iterable[Path | IO[bytes]], threads: int = 8) -> None:
        """Decode the pictures of a shard, in the order of its images, side by side; may run beside training.

        Raises SourceError for one that cannot be read.
        """
        images = [stored for stored in self.images if stored.shard == shard]
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(self._put, images, pictures):  # raises what one of them did
                pass
        if self._stream is not None:
            self._stream.synchronize()
        self.filled[shard] = True

    def _put(self, stored: StoredImage, picture: Path | IO[bytes]) -> None:
        level, parts = _decode(stored.image, picture), list[NDArray[np.uint8]]()
        for _ in stored.levels:
            parts.append(level.reshape(-1))
            level = _halved(level)
        place = slice(stored.levels[0].offset, stored.levels[-1].end)
        with torch.cuda.stream(self._stream):
            self.pixels[place].copy_(torch.from_numpy(np.concatenate(parts)))


def filled_store(images: Sequence[TrainingImage], device: torch.device) -> Store:
    """Return a store of images that lie in files of their own. Raises SourceError."""
    store = Store([images], device)
    store.fill(0, [image.file for image in images])
    return store


def _levels(image: TrainingImage, offset: int) -> tuple[Level, ...]:
    levels, height, width = [Level(offset, image.height, image.width)], image.height, image.width
    for _ in range(LEVELS - 1):
        height, width = max(1, height // 2), max(1, width // 2)
        levels.append(Level(levels[-1].end, height, width))
    return tuple(levels)


def _decode(image: TrainingImage, picture: Path | IO[bytes]) -> NDArray[np.uint8]:
    """RGB (H, W, 3). Raises SourceError, also when it has another size than the annotations say."""
    try:
        with Image.open(picture) as opened:
            pixels = np.array(opened.convert("RGB"))
    except OSError as error:
        raise SourceError(f"{image.file}: cannot be read: {reason(error)}; pack it again") from error
    height, width = pixels.shape[:2]
    if (height, width) != (image.height, image.width):
        raise SourceError(f"{image.file}: is {width}x{height}, its annotations are for another size; pack it again")
    return pixels


def _halved(level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean of 2 x 2 pixels, a half to the even one; an odd last row or column is left out, a single one stays."""
    height, width = (max(1, side // 2) for side in level.shape[:2])
    sums = np.zeros((height, width, 3), np.uint16)
    for down in (0, min(1, level.shape[0] - 1)):
        for across in (0, min(1, level.shape[1] - 1)):
            sums += level[down : 2 * height : 2, across : 2 * width : 2]
    return np.asarray((sums + 1 + (sums >> 2 & 1)) >> 2, np.uint8)
