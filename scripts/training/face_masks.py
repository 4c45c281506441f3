"""Medical masks, scarves and dark glasses painted over labelled faces: a detector without them misses most of those."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_FACE = 0  # class id
_MAX_FACES, _MASKED = 8, 0.22  # in a crop; probability for each face
_MASK, _SCARF = 0.75, 0.88  # cumulated probabilities; the rest are dark glasses
_COLOURS = (
    *((235, 235, 238), (150, 190, 220), (120, 170, 205), (140, 200, 170), (30, 30, 34)),
    *((60, 62, 70), (200, 150, 160), (25, 40, 90), (170, 30, 40), (240, 225, 200)),
)


class _Shapes(NamedTuple):
    """Of one mask a crop, (N, 1, 1) or (N, H, W): kind, and position of each pixel.

    kind:   uniform, compared with _MASK and _SCARF
    across: -1 to 1 from the left edge of the mask to the right one
    down:   0 to 1 from the top of the face to its bottom
    top, bottom: of the mask, in units of `down`
    """

    kind: Tensor
    across: Tensor
    down: Tensor
    top: Tensor
    bottom: Tensor

    def inside(self) -> Tensor:
        """A mask is rounded, scarves and glasses are rectangles: bool (N, H, W)."""
        half = (self.bottom - self.top) / 2
        rounded = (((self.down - (self.top + self.bottom) / 2) / half).abs() ** 4 + self.across.abs() ** 4) < 1
        square = (self.across.abs() < 1) & (self.down > self.top) & (self.down < self.bottom)
        return torch.where(self.kind < _MASK, rounded, square)


def cover_faces(crops: Tensor, boxes: Tensor, kind: Tensor) -> Tensor:
    """Paint over some of the faces of crops (B, 3, H, W), RGB 0 to 255.

    boxes: float32 (B, N, 4) in pixels, kind: uint8 (B, N), 0 for a face
    """
    drawn = torch.rand(boxes.shape[:2], device=crops.device).masked_fill(kind != _FACE, -1)
    best, faces = drawn.topk(min(_MAX_FACES, boxes.shape[1]), 1)
    colours = torch.tensor(_COLOURS, device=crops.device, dtype=torch.float32)
    for number in range(faces.shape[1]):
        chosen = (best[:, number] > 1 - _MASKED).nonzero()[:, 0]
        if not len(chosen):
            break  # sorted: there are no more
        crops = _cover(crops, chosen, boxes[chosen, faces[chosen, number]], colours)
    return crops


def _cover(crops: Tensor, chosen: Tensor, boxes: Tensor, colours: Tensor) -> Tensor:
    """Paint over one face (len(chosen), 4) of each chosen crop."""
    shapes = _random_shapes(boxes, *crops.shape[2:])
    fill = _random_cloth(shapes, colours).to(crops.dtype)
    return crops.index_copy(0, chosen, torch.where(shapes.inside()[:, None], fill, crops[chosen]))


def _random_shapes(boxes: Tensor, height: int, width: int) -> _Shapes:
    y, x = (
        torch.arange(height, device=boxes.device)[None, :, None],
        torch.arange(width, device=boxes.device)[None, None, :],
    )
    x0, y0, x1, y1 = (side[:, None, None] for side in boxes.unbind(1))
    kind = torch.rand(len(boxes), 1, 1, device=boxes.device)

    def top_or_bottom(mask: tuple[float, float], scarf: tuple[float, float], glasses: tuple[float, float]) -> Tensor:
        of_mask, of_scarf, of_glasses = (_between(boxes, *limits) for limits in (mask, scarf, glasses))
        return torch.where(kind < _MASK, of_mask, torch.where(kind < _SCARF, of_scarf, of_glasses))

    top = top_or_bottom((0.40, 0.58), (0.55, 0.7), (0.18, 0.28))
    bottom = top_or_bottom((0.88, 1.03), (1.05, 1.3), (0.14, 0.26))
    bottom = torch.where(kind < _SCARF, bottom, top + bottom)
    across = (x - (x0 + x1) / 2 + (x1 - x0) * _between(boxes, -0.08, 0.08)) / ((x1 - x0) * _between(boxes, 0.44, 0.56))
    return _Shapes(kind, across, (y - y0) / (y1 - y0), top, bottom)


def _random_cloth(shapes: _Shapes, colours: Tensor) -> Tensor:
    """Colour (N, 3, H, W), with folds and shading."""
    count, device = len(shapes.kind), colours.device
    usual = torch.rand(count, 1, device=device) < 0.8
    cloth = torch.where(
        usual,
        colours[torch.randint(len(colours), (count,), device=device)],
        torch.rand(count, 3, device=device) * 255,
    )
    dark = (torch.rand(count, 1, device=device) * 60).expand_as(cloth)
    base = torch.where(shapes.kind[:, :, 0] < _SCARF, cloth, dark)
    ripple, phase = _between(shapes.kind, 8, 40), _between(shapes.kind, 0, 6)
    sides, lower = _between(shapes.kind, 0, 1), _between(shapes.kind, 0, 1)
    folds = 1 + 0.08 * torch.sin(shapes.down * ripple + phase) - 0.18 * shapes.across.abs().clamp(max=1) * sides
    folds = folds - 0.15 * (shapes.down - shapes.top).clamp(0, 1) * lower
    return base[:, :, None, None] * folds[:, None]


def _between(like: Tensor, low: float, high: float) -> Tensor:
    return torch.rand(len(like), 1, 1, device=like.device) * (high - low) + low
