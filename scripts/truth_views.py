"""Where the objects of a picture are shown while it moves, shakes and zooms and a bar passes in front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Rectangles = NDArray[np.float64]  # (N, 4), x0 y0 x1 y1, edges of pixels

LEAST_PX, MOST_PX = 12, 300  # of an object's longer side
MOST_ENLARGED = 2.5  # more would show nothing but blur


@dataclass(frozen=True)
class Shape:
    """What a clip is like: pixels, frames a second, frames."""

    width: int = 1280
    height: int = 720
    rate: int = 25
    frames: int = 100


@dataclass(frozen=True)
class View:
    """Where the picture lies at one moment: a point x, y of it is shown at scale * x + left, scale * y + top.

    bar: the edges (left, right) of the bar that stands in front, full height
    """

    scale: float
    left: float
    top: float
    bar: tuple[float, float]

    def boxes(self, boxes: Rectangles) -> Rectangles:
        """Boxes of the picture, as they are shown."""
        return np.asarray(boxes * self.scale + (self.left, self.top, self.left, self.top), np.float64)


@dataclass(frozen=True)
class Scene:
    """An upright picture, uint8 (H, W, 3), blue first, and its objects that are to be found.

    boxes:  of each object, in the picture
    labels: int64 (N,)
    """

    pixels: Picture
    boxes: Rectangles
    labels: NDArray[np.int64]


class Movement:
    """How the view moves in the course of a clip: the zoom, the way of one object, the shake and the bar."""

    def __init__(self, target: Sequence[float], shape: Shape, chance: np.random.Generator) -> None:
        """`target`: the box of the object that is followed, in the picture."""
        x0, y0, x1, y1 = target
        longer = max(x1 - x0, y1 - y0)
        scales = [LEAST_PX / longer, min(MOST_PX / longer, MOST_ENLARGED)]
        self._scales = scales if chance.random() < 0.5 else scales[::-1]
        self._middle = (x0 + x1) / 2, (y0 + y1) / 2
        size = np.array([shape.width, shape.height])
        self._way = size * chance.uniform(0.25, 0.75, (2, 2))
        self._shake_px = chance.uniform(1, 6, (3, 2))
        self._shake_hz = chance.uniform(0.5, 6, (3, 2))
        self._shake_at = chance.uniform(0, 2 * math.pi, (3, 2))
        self._bar_px = shape.width * chance.uniform(0.05, 0.12)
        self._bar_way = chance.permutation([-self._bar_px, shape.width])
        self._seconds = shape.frames / shape.rate

    def at(self, time_s: float) -> View:
        """The view at one moment."""
        share = time_s / self._seconds
        eased = (1 - math.cos(math.pi * min(max(share, 0), 1))) / 2
        scale = self._scales[0] * (self._scales[1] / self._scales[0]) ** eased
        shake = (self._shake_px * np.sin(2 * math.pi * self._shake_hz * time_s + self._shake_at)).sum(axis=0)
        x, y = self._way[0] + (self._way[1] - self._way[0]) * eased + shake
        bar = float(self._bar_way[0] + (self._bar_way[1] - self._bar_way[0]) * share)
        return View(scale, x - scale * self._middle[0], y - scale * self._middle[1], (bar, bar + self._bar_px))


def truth_line(number: int, view: View, scene: Scene, names: Sequence[str], shape: Shape) -> dict[str, object]:
    """What is where in a frame."""
    objects = []
    whole = view.boxes(scene.boxes)
    border = np.array([shape.width, shape.height, shape.width, shape.height], np.float64)
    inside = np.clip(whole, 0, border)
    for track, (box, full) in enumerate(zip(inside, whole, strict=True)):
        sides = full[2:] - full[:2]
        seen = _area(box) - _area(_behind(box, view.bar))
        left = _uncovered(box, view.bar).round(3)
        if seen > 0 and _area(left) > 0 and sides.max() >= LEAST_PX:  # what is thinner than the last digit is not there
            objects.append(
                {
                    "track": track,
                    "label": names[scene.labels[track]],
                    "xyxy": left.tolist(),
                    "visible": round(seen / float(sides.prod()), 4),
                }
            )
    return {"frame": number, "pts_s": round(number / shape.rate, 6), "objects": objects}


def _behind(box: NDArray[np.float64], bar: tuple[float, float]) -> NDArray[np.float64]:
    """The part of a box that the bar hides."""
    return np.array([max(box[0], bar[0]), box[1], min(box[2], bar[1]), box[3]])


def _uncovered(box: NDArray[np.float64], bar: tuple[float, float]) -> NDArray[np.float64]:
    """The box around what the bar leaves of a box."""
    left = bar[1] if bar[0] <= box[0] < bar[1] else box[0]
    right = bar[0] if bar[0] < box[2] <= bar[1] else box[2]
    return np.array([left, box[1], right, box[3]])


def _area(box: NDArray[np.float64]) -> float:
    return float(np.prod(np.clip(box[2:] - box[:2], 0, None)))
