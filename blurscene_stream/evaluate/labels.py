"""Labelled pictures, whatever the data set that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.names import Names

ROUNDING_PX = 1.0  # a box that reaches less far past the border was rounded, not wrong


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled object.

    name:    the class, in the words of the data set
    corners: x0 y0 x1 y1, half open, in stored pixels (or shares of the picture's sides, see Labelled.relative)
    counts:  False for what may be found and need not be: a crowd, something too hard to tell
    """

    name: str
    corners: tuple[float, float, float, float]
    counts: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is to be found in one picture, cut at its border.

    boxes:   float32 (N, 4)
    labels:  int64 (N,)
    counts:  bool (N,), see Box.counts
    clipped: boxes that reached past the border by more than a pixel
    lost:    boxes that have no area inside the picture; they are left out
    """

    boxes: Boxes
    labels: NDArray[np.int64]
    counts: NDArray[np.bool_]
    clipped: int
    lost: int


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One picture and its labels.

    file:       the picture
    size:       width and height as the labels say, None where they do not
    boxes:      float64 (N, 4)
    labels:     int64 (N,), index into the detector's classes
    counts:     bool (N,)
    exhaustive: labels of which every object in this picture is in `boxes`
    relative:   `boxes` are shares of the picture's sides, not pixels
    """

    file: Path
    size: tuple[int, int] | None
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    counts: NDArray[np.bool_]
    exhaustive: frozenset[int]
    relative: bool = False

    def on(self, width: int, height: int) -> Truth:
        """The labels on the picture of `width` x `height` pixels that was read."""
        border = np.array([width, height, width, height], np.float64)
        boxes = self.boxes * border if self.relative else self.boxes
        inside = np.clip(boxes, 0, border)
        kept = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        reach = (np.abs(boxes - inside) > ROUNDING_PX).any(axis=1)
        return Truth(
            inside[kept].astype(np.float32),
            self.labels[kept],
            self.counts[kept],
            int((reach & kept).sum()),
            int((~kept).sum()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set, ready to be measured: its name, the kind of its labels, its pictures in a steady order."""

    name: str
    kind: str
    pictures: tuple[Labelled, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture as a data set describes it, before its classes are known by the detector's names.

    exhaustive: names of the classes that are labelled exhaustively; None: all that the data set has anywhere
    """

    file: Path
    boxes: Sequence[Box]
    size: tuple[int, int] | None = None
    exhaustive: Sequence[str] | None = None
    relative: bool = False


def assemble(name: str, kind: str, entries: Iterable[Entry], names: Names) -> Dataset:
    """The data set of all `entries`.

    Raises UsageError for a class that is not known, SourceError when there are no pictures, or no objects to find.
    """
    listed = list(entries)
    if not listed:
        raise SourceError(f"{name}: the data set is empty: it names no picture")
    everywhere = {box.name for entry in listed for box in entry.boxes}
    listed_names = everywhere.union(*(entry.exhaustive or () for entry in listed))
    labels = {each: names.label(each, name) for each in sorted(listed_names)}
    pictures = tuple(_labelled(entry, labels, sorted(everywhere)) for entry in listed)
    if not any(picture.counts.any() for picture in pictures):
        raise SourceError(f"{name}: nothing is labelled that the detector looks for: {', '.join(names.classes)}")
    return Dataset(name, kind, pictures)


def _labelled(entry: Entry, labels: dict[str, int | None], everywhere: Sequence[str]) -> Labelled:
    known = [(box, label) for box in entry.boxes if (label := labels[box.name]) is not None]
    whole = {labels[name] for name in (everywhere if entry.exhaustive is None else entry.exhaustive)}
    return Labelled(
        entry.file,
        entry.size,
        np.array([box.corners for box, _ in known], np.float64).reshape(-1, 4),
        np.array([label for _, label in known], np.int64),
        np.array([box.counts for box, _ in known], np.bool_),
        frozenset(label for label in whole if label is not None),
        entry.relative,
    )
