"""Camera path of a synthesized video (pan, shake, zoom, occluding bar) and the ground truth of its frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Boxes = NDArray[np.float64]  # (N, 4), x0 y0 x1 y1, edges of pixels

MIN_SIZE_PX, MAX_SIZE_PX = 12, 300  # of an object's longer side
MAX_UPSCALE = 2.5  # more would show nothing but blur


@dataclass(frozen=True)
class Shape:
    """Size of a clip in pixels, its frame rate and number of frames."""

    width: int = 1280
    height: int = 720
    rate: int = 25
    frames: int = 100


@dataclass(frozen=True)
class View:
    """Position of the image in one frame: its point x, y is shown at scale * x + left, scale * y + top.

    bar: left and right edge of the occluding bar, which has the full height
    """

    scale: float
    left: float
    top: float
    bar: tuple[float, float]

    def boxes(self, boxes: Boxes) -> Boxes:
        """Map boxes of the image to the frame."""
        return np.asarray(boxes * self.scale + (self.left, self.top, self.left, self.top), np.float64)


@dataclass(frozen=True)
class Scene:
    """Upright image, uint8 (H, W, 3), BGR, and the objects that must be found in it.

    boxes:     in the image
    class_ids: int64 (N,)
    """

    pixels: Picture
    boxes: Boxes
    class_ids: NDArray[np.int64]


class CameraPath:
    """Random camera path of a clip: zoom, pan along one object, shake, and the occluding bar."""

    def __init__(self, target: Sequence[float], shape: Shape, rng: np.random.Generator) -> None:
        """`target`: box of the object that is followed, in the image."""
        x0, y0, x1, y1 = target
        longer = max(x1 - x0, y1 - y0)
        scales = [MIN_SIZE_PX / longer, min(MAX_SIZE_PX / longer, MAX_UPSCALE)]
        self._scales = scales if rng.random() < 0.5 else scales[::-1]
        self._middle = (x0 + x1) / 2, (y0 + y1) / 2
        size = np.array([shape.width, shape.height])
        self._pan = size * rng.uniform(0.25, 0.75, (2, 2))
        self._shake_px = rng.uniform(1, 6, (3, 2))
        self._shake_hz = rng.uniform(0.5, 6, (3, 2))
        self._shake_phase = rng.uniform(0, 2 * math.pi, (3, 2))
        self._bar_px = shape.width * rng.uniform(0.05, 0.12)
        self._bar_path = rng.permutation([-self._bar_px, shape.width])
        self._seconds = shape.frames / shape.rate

    def at(self, time_s: float) -> View:
        """Return the view at `time_s`."""
        share = time_s / self._seconds
        eased = (1 - math.cos(math.pi * min(max(share, 0), 1))) / 2
        scale = self._scales[0] * (self._scales[1] / self._scales[0]) ** eased
        shake = (self._shake_px * np.sin(2 * math.pi * self._shake_hz * time_s + self._shake_phase)).sum(axis=0)
        x, y = self._pan[0] + (self._pan[1] - self._pan[0]) * eased + shake
        bar = float(self._bar_path[0] + (self._bar_path[1] - self._bar_path[0]) * share)
        return View(scale, x - scale * self._middle[0], y - scale * self._middle[1], (bar, bar + self._bar_px))


def truth_line(number: int, view: View, scene: Scene, names: Sequence[str], shape: Shape) -> dict[str, object]:
    """Return the ground truth of a frame, one line of NAME.truth.jsonl."""
    objects = []
    whole = view.boxes(scene.boxes)
    border = np.array([shape.width, shape.height, shape.width, shape.height], np.float64)
    inside = np.clip(whole, 0, border)
    for track, (box, full) in enumerate(zip(inside, whole, strict=True)):
        sides = full[2:] - full[:2]
        visible = _area(box) - _area(_occluded(box, view.bar))
        left = _visible_box(box, view.bar).round(3)
        if visible > 0 and _area(left) > 0 and sides.max() >= MIN_SIZE_PX:  # after rounding
            objects.append(
                {
                    "track": track,
                    "label": names[scene.class_ids[track]],
                    "xyxy": left.tolist(),
                    "visible": round(visible / float(sides.prod()), 4),
                }
            )
    return {"frame": number, "pts_s": round(number / shape.rate, 6), "objects": objects}


def _occluded(box: NDArray[np.float64], bar: tuple[float, float]) -> NDArray[np.float64]:
    """Return the part of a box behind the bar."""
    return np.array([max(box[0], bar[0]), box[1], min(box[2], bar[1]), box[3]])


def _visible_box(box: NDArray[np.float64], bar: tuple[float, float]) -> NDArray[np.float64]:
    """Return the bounding box of the visible part of a box."""
    left = bar[1] if bar[0] <= box[0] < bar[1] else box[0]
    right = bar[0] if bar[0] < box[2] <= bar[1] else box[2]
    return np.array([left, box[1], right, box[3]])


def _area(box: NDArray[np.float64]) -> float:
    return float(np.prod(np.clip(box[2:] - box[:2], 0, None)))
