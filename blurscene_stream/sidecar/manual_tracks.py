"""Track ids for boxes that were added by hand: greedy matching by IoU from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import NO_TRACK, TINY, Boxes, Detections, iou, match_greedily

UNSET_TRACK = NO_TRACK - 1
"""Track id of a box without the key `track`; null, where nothing was tracked, is NO_TRACK."""

FIRST_TRACK_ID = -(1 << 32)
"""Ids count down from here: those in a file are never below 0, and areas are remembered by ids above."""

MAX_GAP_FRAMES = 25
"""An object that is in no line for longer is another one."""

MAX_BOXES, MAX_OBJECTS = 500, 2000
"""Boxes of a frame that get a track, those behind them stay without; and objects that are remembered."""

MAX_COORDINATE_PX = 1e9  # beyond, areas would not fit float32


@dataclass(slots=True, eq=False)
class _Object:
    """Box of an object in its last line."""

    track_id: int
    class_id: int
    box: Boxes
    frame: int


class ManualTracks:
    """Assigns track ids in one file, frame by frame, so that an object without one keeps its first mosaic too.

    A box continues the object that it overlaps most (IoU).
    """

    def __init__(self) -> None:
        self._objects: list[_Object] = []
        self._track_ids, self._frames = count(FIRST_TRACK_ID, -1), count()

    def tracked(self, detections: Detections) -> Detections:
        """Return the boxes of the next frame, those with UNSET_TRACK with ids of their own; all others as they are."""
        frame, unset = next(self._frames), np.flatnonzero(detections.track_ids == UNSET_TRACK)
        if not len(unset):
            return detections
        self._objects = [each for each in self._objects if frame - each.frame <= MAX_GAP_FRAMES]
        track_ids = np.where(detections.track_ids == UNSET_TRACK, NO_TRACK, detections.track_ids)
        matches = self._matches(detections, unset[:MAX_BOXES])
        for index in unset[:MAX_BOXES].tolist():
            class_id, box = int(detections.class_ids[index]), detections.xyxy[index]
            if index not in matches:
                matches[index] = _Object(next(self._track_ids), class_id, box, frame)
                self._objects.append(matches[index])
            matches[index].box, matches[index].frame = box, frame
            track_ids[index] = matches[index].track_id
        self._objects = sorted(self._objects, key=lambda each: each.frame)[-MAX_OBJECTS:]
        return replace(detections, track_ids=track_ids)

    def _matches(self, detections: Detections, unset: NDArray[np.intp]) -> dict[int, _Object]:
        """Match boxes with the objects that they continue, each in one pair at most: the largest overlap first."""
        if not self._objects:
            return {}
        overlaps = iou(_clipped(detections.xyxy[unset]), _clipped(np.stack([each.box for each in self._objects])))
        class_ids = np.array([each.class_id for each in self._objects])
        overlaps[detections.class_ids[unset][:, None] != class_ids] = 0
        known = match_greedily(overlaps, float(TINY)).tolist()
        return {box: self._objects[index] for box, index in zip(unset.tolist(), known, strict=True) if index >= 0}


def _clipped(boxes: Boxes) -> Boxes:
    return np.clip(boxes, -MAX_COORDINATE_PX, MAX_COORDINATE_PX)
