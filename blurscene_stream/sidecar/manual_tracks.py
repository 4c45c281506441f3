"""Tracks for boxes that were added by hand: those that overlap from frame to frame are one object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import NO_TRACK, Boxes, Detections, iou

UNTOLD = NO_TRACK - 1
"""The track of a box whose line says nothing of one, not even null as it does where nothing was followed."""

FIRST = -(1 << 32)
"""Numbers count down from here: those in a file are never below 0, and areas are remembered by numbers above."""

REMEMBERED_FRAMES = 25
"""For so long an object may be in no line; then it is another one."""

MOST, MOST_OBJECTS = 500, 2000
"""Boxes of a frame that are numbered, those behind them stay without a track; and objects that are remembered."""

FAR_PX = 1e9  # beyond, areas would not fit float32


@dataclass(slots=True, eq=False)
class _Object:
    """Where an object was in its last line."""

    track: int
    label: int
    box: Boxes
    frame: int


class ManualTracks:
    """Numbers the boxes of one file, frame by frame, so that an object without a track keeps its first cells too.

    Each overlaps the one before; which of several goes on is told by the largest overlaps (intersection over union).
    """

    def __init__(self) -> None:
        self._objects: list[_Object] = []
        self._numbers, self._frames = count(FIRST, -1), count()

    def tracked(self, found: Detections) -> Detections:
        """The boxes of the next frame, those that are UNTOLD with numbers of their own; all others as they are."""
        frame, untold = next(self._frames), np.flatnonzero(found.track_ids == UNTOLD)
        if not len(untold):
            return found
        self._objects = [one for one in self._objects if frame - one.frame <= REMEMBERED_FRAMES]
        tracks = np.where(found.track_ids == UNTOLD, NO_TRACK, found.track_ids)
        gone_on = self._pairs(found, untold[:MOST])
        for place in untold[:MOST].tolist():
            label, box = int(found.class_ids[place]), found.xyxy[place]
            if place not in gone_on:
                gone_on[place] = _Object(next(self._numbers), label, box, frame)
                self._objects.append(gone_on[place])
            gone_on[place].box, gone_on[place].frame = box, frame
            tracks[place] = gone_on[place].track
        self._objects = sorted(self._objects, key=lambda one: one.frame)[-MOST_OBJECTS:]
        return replace(found, track_ids=tracks)

    def _pairs(self, found: Detections, untold: NDArray[np.intp]) -> dict[int, _Object]:
        """Which boxes go on with which object, each in one pair at most: the largest overlap first."""
        if not self._objects:
            return {}
        boxes, known = found.xyxy[untold], np.stack([one.box for one in self._objects])
        overlaps = iou(np.clip(boxes, -FAR_PX, FAR_PX), np.clip(known, -FAR_PX, FAR_PX))
        labels = np.array([one.label for one in self._objects])
        overlaps[found.class_ids[untold][:, None] != labels] = 0
        pairs: dict[int, _Object] = {}
        while overlaps.max() > 0:
            box, place = np.unravel_index(overlaps.argmax(), overlaps.shape)
            pairs[int(untold[box])] = self._objects[place]
            overlaps[box], overlaps[:, place] = 0, 0
        return pairs
