"""Medical masks, scarves and dark glasses painted over labelled faces: a detector without them misses most of those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from scripts.training.transfer import sent

_FACE = 0  # class id
_MAX_FACES, _MASKED = 8, 0.22  # in a crop; probability for each face
NUMBERS = 15
"""Random numbers that one mask takes."""

_MASK, _SCARF = 0.75, 0.88  # cumulated probabilities; the rest are dark glasses
_TILE = 16  # pixels of a side
COLOURS = (
    *((235, 235, 238), (150, 190, 220), (120, 170, 205), (140, 200, 170), (30, 30, 34)),
    *((60, 62, 70), (200, 150, 160), (25, 40, 90), (170, 30, 40), (240, 225, 200)),
)


class _Shapes(NamedTuple):
    """Of each mask (N,), or of the mask that each tile is a part of (T, 1, 1).

    kind: uniform, compared with _MASK and _SCARF
    middle, half_width: of the mask, in pixels
    face_top, face_height: in pixels
    top, bottom: of the mask, 0 to 1 from the top of the face to its bottom
    """

    kind: Tensor
    middle: Tensor
    half_width: Tensor
    face_top: Tensor
    face_height: Tensor
    top: Tensor
    bottom: Tensor

    def inside(self, across: Tensor, down: Tensor) -> Tensor:
        """A mask is rounded, scarves and glasses are rectangles: bool (T, side, side).

        across: (T, 1, side), -1 to 1 from the left edge of the mask to the right one
        down:   (T, side, 1), 0 to 1 from the top of the face to its bottom
        """
        half = (self.bottom - self.top) / 2
        rounded = (((down - (self.top + self.bottom) / 2) / half).abs() ** 4 + across.abs() ** 4) < 1
        square = (across.abs() < 1) & ((down > self.top) & (down < self.bottom))
        return torch.where(self.kind < _MASK, rounded, square)


class _Folds(NamedTuple):
    """Strength of folds and shading of each mask (N,), or of the mask that each tile is a part of (T, 1, 1)."""

    ripple: Tensor
    phase: Tensor
    sides: Tensor
    lower: Tensor

    def light(self, across: Tensor, down: Tensor, below_top: Tensor) -> Tensor:
        """Return what the colour is multiplied by: (T, side, side)."""
        folds = 1 + 0.08 * torch.sin(down * self.ripple + self.phase) - 0.18 * across.abs().clamp(max=1) * self.sides
        return folds - 0.15 * below_top.clamp(0, 1) * self.lower


def cover_faces(crops: Tensor, boxes: Tensor, kind: Tensor) -> Tensor:
    """Paint over some of the faces of crops (B, 3, H, W), RGB 0 to 255.

    boxes: float32 (B, N, 4) in pixels, kind: uint8 (B, N), 0 for a face; both in main memory, where what is painted is
           decided, so that nothing waits for the device of the crops
    """
    drawn = torch.rand(boxes.shape[:2]).masked_fill(kind != _FACE, -1)
    best, faces = drawn.topk(min(_MAX_FACES, boxes.shape[1]), 1)
    number, crop = (best > 1 - _MASKED).T.nonzero(as_tuple=True)
    if not len(crop):
        return crops
    uniform = torch.rand(NUMBERS, len(crop))
    return paint_masks(crops, crop, number, boxes[crop, faces[crop, number]], uniform)


def paint_masks(crops: Tensor, crop: Tensor, number: Tensor, boxes: Tensor, uniform: Tensor) -> Tensor:
    """Paint one mask over each face, tile by tile: costs as much as the masks are large, not as the crops are.

    All but the crops is in main memory:

    crop:    int64 (N,), in which crop each face is
    number:  int64 (N,), ascending, its turn among the faces of its crop, below _MAX_FACES
    boxes:   float32 (N, 4) in pixels
    uniform: float32 (NUMBERS, N), 0 to 1, from which kind, place and colour of each mask follow
    """
    numbers = iter(uniform)
    shapes = _shapes(boxes, numbers)
    colours, folds = _colours(shapes, numbers), _folds(numbers)
    size = min(_TILE, *crops.shape[2:])
    counts, face, y0, x0 = _tiles(shapes, number, size, *crops.shape[2:])
    in_crop, y0, x0 = sent(torch.stack((crop[face], y0, x0)), crops.device)
    of_tiles = sent(torch.stack((*shapes, *folds, *colours.T))[:, face], crops.device)
    shape, fold = _Shapes(*of_tiles[:7, :, None, None]), _Folds(*of_tiles[7:11, :, None, None])
    side = torch.arange(size, device=crops.device)
    across = (x0[:, None, None] + side - shape.middle) / shape.half_width
    down = (y0[:, None, None] + side[:, None] - shape.face_top) / shape.face_height
    inside, light = shape.inside(across, down), fold.light(across, down, down - shape.top)
    made = crops.clone()
    windows = made.unfold(2, size, 1).unfold(3, size, 1)  # a view: (B, 3, y, x, size, size)
    parts = (torch.split(each, counts) for each in (in_crop, y0, x0, of_tiles[11:].T, inside, light))
    # One face of each crop at a time: where two tiles overlap, they agree.
    for one_crop, top, left, colour, under, shade in zip(*parts, strict=True):
        fill = (colour[:, :, None, None] * shade[:, None]).to(crops.dtype)
        windows[one_crop, :, top, left] = torch.where(under[:, None], fill, windows[one_crop, :, top, left])
    return made


def _tiles(
    shapes: _Shapes, number: Tensor, size: int, height: int, width: int
) -> tuple[list[int], Tensor, Tensor, Tensor]:
    """Cover the rectangles around the masks, as far as in the crop, with tiles within the crop.

    How many tiles are of masks of each `number` that has some; of each tile, int64 (T,): index of its mask, ascending,
    y and x of its corner.
    """
    top, bottom = (shapes.face_top + shapes.face_height * edge for edge in (shapes.top, shapes.bottom))
    y0, rows = _whole(top, bottom, size, height)
    x0, columns = _whole(shapes.middle - shapes.half_width, shapes.middle + shapes.half_width, size, width)
    count = rows * columns
    counts: list[int] = count.new_zeros(_MAX_FACES).index_add(0, number, count).tolist()
    face = torch.repeat_interleave(count)
    start, y0, x0, columns = torch.stack((count.cumsum(0) - count, y0, x0, columns))[:, face]
    place = torch.arange(len(face), device=face.device) - start
    y, x = y0 + place // columns * size, x0 + place % columns * size
    return [each for each in counts if each], face, y.clamp(max=height - size), x.clamp(max=width - size)


def _whole(low: Tensor, high: Tensor, size: int, limit: int) -> tuple[Tensor, Tensor]:
    """Return the first pixel and the number of tiles that hold all from `low` to `high`, between 0 and `limit`."""
    first, end = low.floor().clamp(0, limit).long(), (high.ceil() + 1).clamp(0, limit).long()
    return first, (end - first).clamp(min=0).add(size - 1) // size


def _shapes(boxes: Tensor, numbers: Iterator[Tensor]) -> _Shapes:
    x0, y0, x1, y1 = boxes.unbind(1)
    kind = next(numbers)

    def top_or_bottom(mask: tuple[float, float], scarf: tuple[float, float], glasses: tuple[float, float]) -> Tensor:
        number = next(numbers)
        of_mask, of_scarf, of_glasses = (_between(number, *limits) for limits in (mask, scarf, glasses))
        return torch.where(kind < _MASK, of_mask, torch.where(kind < _SCARF, of_scarf, of_glasses))

    top = top_or_bottom((0.40, 0.58), (0.55, 0.7), (0.18, 0.28))
    bottom = top_or_bottom((0.88, 1.03), (1.05, 1.3), (0.14, 0.26))
    bottom = torch.where(kind < _SCARF, bottom, top + bottom)
    middle = (x0 + x1) / 2 - (x1 - x0) * _between(next(numbers), -0.08, 0.08)
    return _Shapes(kind, middle, (x1 - x0) * _between(next(numbers), 0.44, 0.56), y0, y1 - y0, top, bottom)


def _colours(shapes: _Shapes, numbers: Iterator[Tensor]) -> Tensor:
    """RGB (N, 3), 0 to 255."""
    palette = torch.tensor(COLOURS, dtype=torch.float32)
    usual, which = next(numbers) < 0.8, (next(numbers) * len(COLOURS)).long()
    any_colour = torch.stack([next(numbers) for _ in range(3)], 1) * 255
    cloth, dark = torch.where(usual[:, None], palette[which], any_colour), next(numbers) * 60
    return torch.where(shapes.kind[:, None] < _SCARF, cloth, dark[:, None])


def _folds(numbers: Iterator[Tensor]) -> _Folds:
    return _Folds(*(_between(next(numbers), *limits) for limits in ((8, 40), (0, 6), (0, 1), (0, 1))))


def _between(number: Tensor, low: float, high: float) -> Tensor:
    return number * (high - low) + low
