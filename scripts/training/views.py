"""Random views of an image: scale, aspect, rotation and place, and what becomes of its boxes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.training.store import LEVELS, StoredImage
from scripts.training.targets import DOUBT, Boxes, Floats

# Pixels that an object is shown at: height of a face, width of a plate. (usual), (close up)
_FACE_PX, _PLATE_PX = ((7, 260), (200, 560)), ((9, 400), (300, 620))
_CLOSE_UP = 0.12  # probability
_TARGETED = 0.62  # that the view is made for an object, rather than for the image
_OF_ONE_CLASS, _PLATES, _FACES = 0.55, 0.55, 0.9  # that only one class is chosen from; which one, cumulated
_MIN_SCALE, _MAX_SCALE, _LARGEST = 0.10, 2.6, 3.0
_TILTED, _TILT_DEGREES = 0.35, 5
_TURNED = 0.14  # lying people, cameras on ceilings, lost rotation tags
_QUARTERS = (0.5, 0.5, 1.0, 1.5, 1.5)  # turns of pi
_MIN_VISIBLE = 0.35  # of an object, else it is ignored
_TINY_PX = ((4.5, 3.5), (2.5, 6.0))  # by class id: height and width below which it is ignored
_PATCH_WIDTH_PX, _PATCH_MARGIN = (10, 90), (0.15, 0.25)  # a pasted plate; beyond it, across and down


@dataclass(frozen=True, eq=False)
class View:
    """A view of a level of an image.

    source: offset, height and width of the level
    linear: float64 (2, 2), shift: float64 (2,): pixels of the view -> pixels of the level
    boxes:  float64 (N, 6), see `targets.Boxes`, in pixels of the view, clipped to it
    """

    source: tuple[int, int, int]
    linear: Floats
    shift: Floats
    boxes: Boxes

    def matrix_from(self, left: int, top: int) -> tuple[float, ...]:
        """Return the six numbers of pixels of a crop -> pixels of the level, of the view at `left`, `top` in it."""
        shift = self.shift - self.linear @ np.array([left, top])
        return (*self.linear[0], shift[0], *self.linear[1], shift[1])


def random_view(rng: random.Random, stored: StoredImage, width: int, height: int) -> View:
    """Return a view of width x height pixels: at random in the image, or with one of its objects in it."""
    image, size = stored.image, np.array([width, height])
    sides = np.array([image.width, image.height])
    target = _choose_target(rng, image.boxes[image.boxes[:, DOUBT] == 0])
    scale = _choose_scale(rng, target, float((size / sides).max()))
    aspect = math.exp(rng.uniform(-0.14, 0.14))
    angle = math.radians(rng.gauss(0, _TILT_DEGREES)) if rng.random() < _TILTED else 0.0
    turned = rng.random() < _TURNED
    if turned:
        angle += rng.choice(_QUARTERS) * math.pi
    cos, sin = math.cos(angle), math.sin(angle)
    scales = np.array([scale * aspect, scale / aspect])
    forward = np.array([[cos, -sin], [sin, cos]]) * scales
    spare = sides * scales - size
    if target is None and not turned:
        origin = np.array([rng.uniform(min(0, each), max(0, each)) for each in spare])
    else:
        origin = _choose_origin(rng, sides, target, forward, size)
    if angle == 0:
        origin = np.where(spare > 0, np.clip(origin, 0, np.maximum(spare, 0)), origin)
    level = stored.levels[level_for(scale)]
    shrink = np.array([level.width, level.height]) / sides
    inverse = np.linalg.inv(forward)
    boxes = _boxes_in_view(image.boxes, forward, origin, size)
    return View(level.place, inverse * shrink[:, None], inverse @ origin * shrink, boxes)


def _choose_target(rng: random.Random, objects: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The object that the view is made for."""
    if len(objects) and rng.random() < _OF_ONE_CLASS:
        drawn = rng.random()
        plates, faces = objects[objects[:, 0] == 1], objects[objects[:, 0] == 0]
        if drawn < _PLATES and len(plates):
            objects = plates
        elif drawn < _FACES and len(faces):
            objects = faces
    if len(objects) and rng.random() < _TARGETED:
        return np.asarray(objects[rng.randrange(len(objects))], np.float32)
    return None


def _choose_scale(rng: random.Random, target: NDArray[np.float32] | None, fit: float) -> float:
    """Pixels of the view for one of the image; `fit`: at which the image just fills the view."""
    if target is None:
        scale = min(fit * _log_uniform(rng, 0.55, 2.0), 1.8)
    else:
        close_up = rng.random() < _CLOSE_UP
        is_face = target[0] == 0
        wanted = _log_uniform(rng, *(_FACE_PX if is_face else _PLATE_PX)[close_up])
        side = target[4] - target[2] if is_face else target[3] - target[1]
        scale = min(max(wanted / max(1.0, float(side)), _MIN_SCALE), _MAX_SCALE)
    if rng.random() < 0.9:
        scale = max(scale, 0.6 * fit)
    return min(scale, _LARGEST)


def _choose_origin(
    rng: random.Random, sides: Floats, target: NDArray[np.float32] | None, forward: Floats, size: Floats
) -> Floats:
    """The view's top left corner in scaled and turned pixels: the object, or else somewhere in the image, is in it."""
    if target is None:
        point = np.array([rng.uniform(0.2, 0.8) * side for side in sides])
        low, high = 0.3, 0.7
    else:
        point = (target[1:3] + target[3:5]) / 2
        low, high = 0.05, 0.95
    return np.asarray(forward @ point - [rng.uniform(low, high) * side for side in size], np.float64)


def _boxes_in_view(boxes: NDArray[np.float32], forward: Floats, origin: Floats, size: Floats) -> Boxes:
    """Boxes (N, 6) of the image in pixels of the view; what is hardly visible or tiny is ignored."""
    centres = (boxes[:, 1:3] + boxes[:, 3:5]) / 2 @ forward.T - origin
    halves = (boxes[:, 3:5] - boxes[:, 1:3]) / 2
    # A plate turns as a rectangle, a face as an ellipse.
    reach = np.where(
        boxes[:, :1] == 1,
        halves @ np.abs(forward).T,
        np.sqrt((halves**2) @ (forward**2).T),
    )
    low, high = centres - reach, centres + reach
    area = np.maximum(high - low, 1e-3).prod(axis=1)
    clipped_low, clipped_high = np.maximum(low, 0), np.minimum(high, size)
    sides = clipped_high - clipped_low
    smallest = np.array(_TINY_PX)[boxes[:, 0].astype(int)]
    hidden = (
        (sides.prod(axis=1) / area < _MIN_VISIBLE) | (sides[:, 1] < smallest[:, 0]) | (sides[:, 0] < smallest[:, 1])
    )
    doubts = np.where(hidden, 1.0, boxes[:, DOUBT])
    inside = (sides > 1).all(axis=1)
    return np.concatenate([boxes[:, :1], clipped_low, clipped_high, doubts[:, None]], axis=1)[inside]


def level_for(scale: float) -> int:
    """Return the number of the level to draw from at `scale` pixels for one of the image."""
    return min(max(math.floor(math.log2(1 / scale) + 0.4), 0), LEVELS - 1) if scale < 1 else 0


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


@dataclass(frozen=True, eq=False)
class Patch:
    """A plate to paste: its view, its box and rectangle in pixels of the crop, gain and offset of its tone."""

    view: View
    rect: tuple[int, int, int, int]
    tone: tuple[float, float]


def paste_plate(
    rng: random.Random, stored: StoredImage, plate: NDArray[np.float32], size: int, boxes: Boxes
) -> Patch | None:
    """Return `plate` (4,) of an image, small, somewhere in a crop of `size`; None where a box is in the way."""
    sides = np.array([stored.image.width, stored.image.height])
    margin = (plate[2:] - plate[:2]) * np.array(_PATCH_MARGIN)
    low, high = np.maximum(0, plate[:2] - margin), np.minimum(sides, plate[2:] + margin)
    down = _log_uniform(rng, *_PATCH_WIDTH_PX) / float(plate[2] - plate[0])
    scales = np.array([down * math.exp(rng.uniform(-0.25, 0.1)), down])
    width, height = ((high - low) * scales).astype(int).tolist()
    if height < 4 or width < 8 or height >= size or width >= size:
        return None
    left, top = rng.randrange(size - width), rng.randrange(size - height)
    right, bottom = left + width, top + height
    if ((left < boxes[:, 3]) & (boxes[:, 1] < right) & (top < boxes[:, 4]) & (boxes[:, 2] < bottom)).any():
        return None
    tone = rng.uniform(0.45, 1.25), rng.uniform(-15, 25)
    corner = np.array([left, top])
    box = np.concatenate([[1], corner + (plate[:2] - low) * scales, corner + (plate[2:] - low) * scales, [0]])[None]
    level = stored.levels[level_for(down)]
    shrink = np.array([level.width, level.height]) / sides
    view = View(level.place, np.diag(shrink / scales), low * shrink, box)
    return Patch(view, (left, top, right, bottom), tone)
