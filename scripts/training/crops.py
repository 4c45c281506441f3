"""Plans of training crops: which view of which image lies where, and the targets; the pixels are drawn by `draw`.

A crop is a mosaic of 1 to 16 views of images, each scaled, stretched and turned at random, with up to four plates of
other images pasted over it. Planning takes microseconds and runs in worker processes, drawing belongs on the GPU.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from blurscene_stream.detect.backends.network import CLASS_COUNT, STRIDE
from scripts.training.store import StoredImage
from scripts.training.targets import DOUBT, Boxes, Targets, empty_targets
from scripts.training.views import View, paste_plate, random_view

SIDE = 4
CELLS, PATCHES, MAX_BOXES = SIDE * SIDE, 4, 256

EDGE_ACROSS, EDGE_DOWN = 0.06, 0.1
"""Share of a patch's sides over which it fades in, at least a pixel."""

PATCH_KEYS = ("source", "matrix", "rect", "tone")
DRAWN_KEYS = ("columns", "rows", "source", "matrix", "fill", "flip", *(f"patch_{key}" for key in PATCH_KEYS))
"""What of a plan says how its crops are drawn: one row for each crop."""

PLATE = 1
"""Class id of licence plates, the only objects that are pasted."""

IGNORED, NONE = 2, 3
"""Kinds of a box beside its class id: ignored or doubtful, and no box."""

_MOSAIC, _PASTE, _FLIP = 0.5, 0.15, 0.5  # probabilities
_MOSAIC_SIDES = (1, 2, 3, 4), (1 - _MOSAIC, _MOSAIC * 0.5, _MOSAIC * 0.3, _MOSAIC * 0.2)
_DONOR_WIDTH_PX = 60, 500  # of a plate worth pasting
_POLL_S = 0.1
_JITTER = 0.2  # of the cuts of a mosaic, as a share of a cell

Plan = dict[str, NDArray[Any]]
"""Arrays of a batch, by name:

columns, rows: int32 (B, 5), where the cells of the mosaic begin; unused ones beyond the crop
source:        int64 (B, CELLS, 3), offset, height and width of a level in the store
matrix:        float32 (B, CELLS, 6), pixels of the crop -> pixels of the level
fill:          float32 (B, CELLS, 3), RGB outside of the image
patch_*:       the same for PATCHES patches over it; patch_rect: int32 (B, PATCHES, 4); patch_tone: gain and offset
flip:          bool (B, 1), the crop is mirrored, all of the above is not; boxes and targets are
boxes, kind:   float32 (B, MAX_BOXES, 4) and uint8 (B, MAX_BOXES), a class id, IGNORED or NONE
heat, soft, weight: (B, C, G, G), as in `Targets`
cells, owner:  int64 (K,), flat: the cells of (B, C, G, G) that learn a box, and which of (B, MAX_BOXES)
share:         float32 (K,), how much each of them counts
"""


class CropPlans(IterableDataset[dict[str, Tensor]]):
    """Endless batches of plans, as tensors; see `Plan`. Each worker has its own random numbers."""

    def __init__(self, images: Sequence[StoredImage], filled: Tensor, size: int, batch: int, seed: int = 0) -> None:
        """Plan with those of `images` whose pixels are there.

        filled: as in `Store`, may change at any time
        size:   pixels of a crop's side, a multiple of the network's; batch: crops of a batch
        """
        self._all_images, self._filled, self._known = images, filled, list[bool]()
        self.size, self.batch_size, self.seed = size, batch, seed

    def _take_in(self) -> None:
        """Take in what has been filled since the last batch; wait for the first."""
        while not any(filled := self._filled.tolist()):
            time.sleep(_POLL_S)
        if filled == self._known:
            return
        self._known = filled
        self.images = [stored for stored in self._all_images if filled[stored.shard]]
        weights = np.array([stored.image.weight for stored in self.images], float)
        self.cumulative = np.cumsum(weights / weights.sum())
        self.donors = [
            (stored, box[1:5])
            for stored in self.images
            for box in stored.image.boxes
            if box[0] == PLATE and box[DOUBT] == 0 and _DONOR_WIDTH_PX[0] <= box[3] - box[1] <= _DONOR_WIDTH_PX[1]
        ]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield batches for ever."""
        worker = get_worker_info()
        rng = random.Random((worker.seed if worker else self.seed) * 7919 + 1)
        while True:
            yield {name: torch.from_numpy(values) for name, values in self.plan(rng).items()}

    def plan(self, rng: random.Random) -> Plan:
        """Plan a batch."""
        self._take_in()
        made = empty_plan(self.batch_size, self.size)
        for crop in range(self.batch_size):
            self._plan_crop(rng, {name: values[crop] for name, values in made.items()})
        index, cell = made.pop("index"), made.pop("cell")
        return made | _learning_cells(index, cell)

    def _plan_crop(self, rng: random.Random, crop: Plan) -> None:
        """Plan one crop, into views of the batch's arrays."""
        boxes = self._mosaic(rng, crop)
        if self.donors and rng.random() < _PASTE:
            boxes = self._paste(rng, crop, boxes)
        crop["flip"][:] = flip = rng.random() < _FLIP
        if flip:
            boxes[:, [1, 3]] = self.size - boxes[:, [3, 1]]
            crop["weight"][:] = crop["weight"][:, :, ::-1].copy()
        boxes = boxes[:MAX_BOXES]
        crop["boxes"][: len(boxes)] = boxes[:, 1:5]
        crop["kind"][: len(boxes)] = np.where(boxes[:, DOUBT] > 0, IGNORED, boxes[:, 0])
        Targets(*(crop[name] for name in ("heat", "soft", "index", "cell", "weight"))).draw(boxes)

    def _mosaic(self, rng: random.Random, crop: Plan) -> Boxes:
        """Plan the views of a crop; return their boxes (N, 6) in its pixels."""
        (count,) = rng.choices(*_MOSAIC_SIDES)
        columns, rows = _cuts(rng, count, self.size), _cuts(rng, count, self.size)
        for name, cuts in (("columns", columns), ("rows", rows)):
            crop[name][:] = cuts + [self.size + 1] * (SIDE + 1 - len(cuts))
        parts = [np.zeros((0, 6))]
        for row, column in product(range(count), repeat=2):
            left, top, right, bottom = columns[column], rows[row], columns[column + 1], rows[row + 1]
            view, labelled = self._view(rng, right - left, bottom - top)
            cell = row * SIDE + column
            crop["source"][cell] = view.source
            crop["matrix"][cell] = view.matrix_from(left, top)
            crop["fill"][cell] = _fill(rng)
            parts.append(view.boxes + np.array([0, left, top, left, top, 0]))
            for class_id in range(CLASS_COUNT):
                if not labelled[class_id]:
                    place = slice(top // STRIDE, bottom // STRIDE), slice(left // STRIDE, right // STRIDE)
                    crop["weight"][(class_id, *place)] = 0
        return np.concatenate(parts)

    def _view(self, rng: random.Random, width: int, height: int) -> tuple[View, tuple[bool, ...]]:
        """A random view of a random image, and which classes are labelled in it."""
        index = min(int(np.searchsorted(self.cumulative, rng.random())), len(self.images) - 1)
        stored = self.images[index]
        return random_view(rng, stored, width, height), stored.image.labelled

    def _paste(self, rng: random.Random, crop: Plan, boxes: Boxes) -> Boxes:
        """Paste some plates; return all boxes."""
        for patch in range(rng.randint(1, PATCHES)):
            stored, plate = self.donors[rng.randrange(len(self.donors))]
            pasted = paste_plate(rng, stored, plate, self.size, boxes)
            if pasted is None:
                continue
            crop["patch_source"][patch] = pasted.view.source
            crop["patch_matrix"][patch] = pasted.view.matrix_from(*pasted.rect[:2])
            crop["patch_rect"][patch], crop["patch_tone"][patch] = pasted.rect, pasted.tone
            boxes = np.concatenate([boxes, pasted.view.boxes])
        return boxes


def empty_plan(batch: int, size: int) -> Plan:
    """Return the arrays of a batch without any view, patch or box."""
    return {
        "columns": np.zeros((batch, SIDE + 1), np.int32),
        "rows": np.zeros((batch, SIDE + 1), np.int32),
        "source": np.zeros((batch, CELLS, 3), np.int64),
        "matrix": np.zeros((batch, CELLS, 6), np.float32),
        "fill": np.zeros((batch, CELLS, 3), np.float32),
        "patch_source": np.ones((batch, PATCHES, 3), np.int64),
        "patch_matrix": np.zeros((batch, PATCHES, 6), np.float32),
        "patch_rect": np.zeros((batch, PATCHES, 4), np.int32),
        "patch_tone": np.zeros((batch, PATCHES, 2), np.float32),
        "flip": np.zeros((batch, 1), bool),
        "boxes": np.zeros((batch, MAX_BOXES, 4), np.float32),
        "kind": np.full((batch, MAX_BOXES), NONE, np.uint8),
        **empty_targets(batch, size // STRIDE),
    }


def _learning_cells(index: NDArray[np.int16], cell: NDArray[np.float16]) -> Plan:
    """List the cells that learn a box, of maps (B, C, G, G): they are few, and the device need not look for them."""
    cells = np.flatnonzero(index >= 0)
    owner = cells // index[0].size * MAX_BOXES + index.ravel()[cells]
    return {"cells": cells, "owner": owner, "share": cell.ravel()[cells].astype(np.float32)}


def _cuts(rng: random.Random, count: int, size: int) -> list[int]:
    """Where `count` cells of a side begin, and its end: about equal, in whole output cells."""
    step = size / count
    inner = [int((index + rng.uniform(-_JITTER, _JITTER)) * step) // STRIDE * STRIDE for index in range(1, count)]
    return [0, *inner, size]


def _fill(rng: random.Random) -> Sequence[int]:
    if rng.random() < 0.4:
        return (114, 114, 114)
    return (0, 0, 0) if rng.random() < 0.5 else [rng.randrange(256) for _ in range(3)]
