"""Detections of a picture, and the geometry of boxes: orientation, IoU, area, greedy matching."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Scores = NDArray[np.float32]
NO_TRACK = -1
TINY = np.float32(1e-30)
"""Divisor in place of 0, and the smallest IoU of boxes that overlap at all."""


class Origin(IntEnum):
    """Origin of a box: the detector, or the tracker."""

    detected = 0
    """By the detector, with a score above the class's threshold."""
    low_confidence = 1
    """By the detector, with a score below the threshold: it counts only where it continues a track."""
    interpolated = 2
    """By the tracker, between two detections of one object."""
    extrapolated = 3
    """By the tracker, before the first or after the last detection of an object."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections of one picture, in that picture's pixels.

    xyxy:        float32 (N, 4), corners x0 y0 x1 y1, half open; may reach past the border
    scores:      float32 (N,), in [0, 1]
    class_ids:   int64 (N,), index into `class_names`
    class_names: names of the classes, such as ("face", "license_plate")
    origins:     int8 (N,), of Origin; all detected when left out
    track_ids:   int64 (N,), object of the video, NO_TRACK where that is not known: everywhere when left out

    Raises ValueError when lengths disagree, a number is not finite or a class id has no name.
    """

    xyxy: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    class_names: tuple[str, ...]
    origins: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    track_ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        count = len(self.xyxy)
        for name, value in (("origins", Origin.detected), ("track_ids", NO_TRACK)):
            given = getattr(self, name)
            if not len(given):
                object.__setattr__(self, name, np.full(count, value, given.dtype))
        if self.xyxy.shape != (count, 4):
            raise ValueError(f"xyxy must be (N, 4), got {self.xyxy.shape}")
        if self.scores.shape != (count,) or self.class_ids.shape != (count,):
            raise ValueError(
                f"{count} boxes need {count} scores and class ids, got {self.scores.shape} and {self.class_ids.shape}"
            )
        if self.origins.shape != (count,) or self.track_ids.shape != (count,):
            raise ValueError(
                f"{count} boxes need {count} origins and track ids, got {self.origins.shape} and {self.track_ids.shape}"
            )
        if not (np.isfinite(self.xyxy).all() and np.isfinite(self.scores).all()):
            raise ValueError("boxes and scores must be finite numbers")
        if count and not (self.class_ids.min() >= 0 and self.class_ids.max() < len(self.class_names)):
            raise ValueError(f"class ids must be in 0..{len(self.class_names) - 1}")

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        return Detections(
            xyxy=self.xyxy[chosen],
            scores=self.scores[chosen],
            class_ids=self.class_ids[chosen],
            class_names=self.class_names,
            origins=self.origins[chosen],
            track_ids=self.track_ids[chosen],
        )

    def confident(self) -> Detections:
        """Return them without the low-confidence ones: all that counts in a picture without a past and a future."""
        return self[self.origins != Origin.low_confidence]

    def of_classes(self, names: Collection[str]) -> Detections:
        """Return those of the classes in `names`."""
        class_ids = [class_id for class_id, name in enumerate(self.class_names) if name in names]
        return self[np.isin(self.class_ids, class_ids)]

    def above(self, thresholds: Sequence[float], low_ratio: float) -> Detections:
        """Return those whose score is above the threshold of their class, as detected; low-confidence others behind.

        low_ratio: share of the threshold that these must score
        """
        limits = np.array(thresholds, np.float64)[self.class_ids]
        detected = self.scores > limits.astype(np.float32)
        low = (self.scores > (limits * low_ratio).astype(np.float32)) & ~detected
        origins = np.where(detected, Origin.detected, Origin.low_confidence).astype(np.int8)
        return replace(self, origins=origins)[np.concatenate([np.flatnonzero(detected), np.flatnonzero(low)])]

    def observed(self) -> Detections:
        """Return them without the boxes that the tracker added."""
        return self[self.origins <= Origin.low_confidence]

    @classmethod
    def empty(cls, class_names: Sequence[str]) -> Detections:
        """Return no boxes at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), tuple(class_names))

    @classmethod
    def concatenate(cls, parts: Sequence[Detections]) -> Detections:
        """Concatenate `parts`, of which there is at least one, in order; all have the same class names."""
        each = [(part.xyxy, part.scores, part.class_ids, part.origins, part.track_ids) for part in parts]
        xyxy, scores, class_ids, origins, track_ids = (np.concatenate(arrays) for arrays in zip(*each, strict=True))
        return cls(xyxy, scores, class_ids, parts[0].class_names, origins, track_ids)

    def count(self, name: str) -> int:
        """Count the boxes of the class `name`."""
        return sum(self.class_names[class_id] == name for class_id in self.class_ids)


@dataclass(frozen=True, slots=True)
class Orientation:
    """Orientation of a stored picture, which becomes upright: transposed first, then flipped.

    transposed: rows become columns
    flip_x:     left and right change places afterwards
    flip_y:     top and bottom change places afterwards
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def turned(self, degrees: int) -> Orientation:
        """Return the orientation of the upright picture turned clockwise by `degrees`, a multiple of 90."""
        made = self
        for _ in range(degrees // 90 % 4):  # a quarter turn is a transposition, then a flip of left and right
            made = Orientation(not made.transposed, not made.flip_y, made.flip_x)
        return made

    def upright(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A view of the stored `picture` (H, W, ...) as it is meant to be seen."""
        turned = picture.swapaxes(0, 1) if self.transposed else picture
        return turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def stored(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A view of the upright `picture` (H, W, ...) as it is stored."""
        turned = picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return turned.swapaxes(0, 1) if self.transposed else turned

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height of the upright picture."""
        return (height, width) if self.transposed else (width, height)

    def to_stored(self, boxes: Boxes, width: int, height: int) -> Boxes:
        """Boxes (N, 4) on an upright picture of `width` x `height`, mapped to the stored picture."""
        x0, y0, x1, y1 = boxes.T
        if self.flip_x:
            x0, x1 = width - x1, width - x0
        if self.flip_y:
            y0, y1 = height - y1, height - y0
        corners = (y0, x0, y1, x1) if self.transposed else (x0, y0, x1, y1)
        return np.stack(corners, axis=1).astype(np.float32)

    def to_upright(self, boxes: Boxes, width: int, height: int) -> Boxes:
        """Boxes (N, 4) on the stored picture, mapped to the upright one of `width` x `height`."""
        x0, y0, x1, y1 = boxes[:, [1, 0, 3, 2]].T if self.transposed else boxes.T
        if self.flip_x:
            x0, x1 = width - x1, width - x0
        if self.flip_y:
            y0, y1 = height - y1, height - y0
        return np.stack((x0, y0, x1, y1), axis=1).astype(np.float32)


UPRIGHT = Orientation()


def scale(boxes: Boxes, factor_x: float, factor_y: float) -> Boxes:
    """Boxes (N, 4) on a picture made `factor_x` times as wide and `factor_y` times as high."""
    return boxes * np.array([factor_x, factor_y, factor_x, factor_y], np.float32)


def iou(one: Boxes, other: Boxes) -> NDArray[np.float32]:
    """Intersection over union of every box of `one` (N, 4) with every box of `other` (M, 4): (N, M)."""
    return paired_iou(one[:, None], other[None])


def paired_iou(one: Boxes, other: Boxes) -> NDArray[np.float32]:
    """Intersection over union of boxes (..., 4) with those of the same place; the shapes go together as NumPy's do."""
    return components_iou(components(one), components(other))


def components(boxes: Boxes) -> NDArray[np.float32]:
    """Return boxes (..., 4) as a struct of arrays (5, ...): x0, y0, x1, y1, area."""
    return np.concatenate([np.moveaxis(boxes, -1, 0), area(boxes)[None]])


def components_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of `components` (5, ...) that broadcast; 0 where there is no area.

    All others rest on this one. It calculates in place: in a crowd of boxes the memory traffic is what takes time.
    """
    x0, y0, x1, y1, own_area = one
    u0, v0, u1, v1, other_area = other
    shared = np.asarray(np.minimum(x1, u1))
    shared -= np.maximum(x0, u0)
    height = np.asarray(np.minimum(y1, v1))
    height -= np.maximum(y0, v0)
    np.maximum(shared, 0, out=shared)
    np.maximum(height, 0, out=height)
    shared *= height
    union = np.add(own_area, other_area, out=height)
    union -= shared
    np.maximum(union, TINY, out=union)
    shared /= union
    return shared


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Areas (...) of boxes (..., 4) in square pixels; 0 for a box that is turned inside out."""
    sides = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def smaller_share(one: Boxes, other: Boxes) -> NDArray[np.float32]:
    """Intersection over the smaller area, of every box of `one` (N, 4) with every box of `other` (M, 4): (N, M).

    1 where one lies in the other, 0 where one has no area.
    """
    overlaps, areas, others = iou(one, other), area(one)[:, None], area(other)[None]
    shared = overlaps * (areas + others) / (1 + overlaps)
    smaller = np.minimum(areas, others)
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)


def match_greedily(overlaps: NDArray[np.float32], min_overlap: float, row_by_row: bool = False) -> NDArray[np.int64]:
    """Match rows of `overlaps` (N, M), such as IoU, with columns: the column of each row (N,), -1 for none.

    Each column is in one pair at most, and no pair overlaps by less than `min_overlap`. The largest overlap comes
    first; `row_by_row`: each row chooses in turn, such as detections sorted by score (the rule of COCO's pycocotools).
    Of equal overlaps the first row, then the first column.
    """
    matches = np.full(len(overlaps), -1, np.int64)
    rows, columns = np.nonzero(overlaps >= min_overlap)
    falling = -overlaps[rows, columns]
    order = np.lexsort((columns, falling, rows) if row_by_row else (columns, rows, falling))
    taken = set[int]()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if matches[row] < 0 and column not in taken:
            matches[row] = column
            taken.add(column)
    return matches
