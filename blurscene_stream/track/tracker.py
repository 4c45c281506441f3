"""The tracker: detections in, detections and what they missed out, a bounded time later."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import NO_TRACK, Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import ScanMode
from blurscene_stream.track.assign import are_far, assign
from blurscene_stream.track.guesses import added, placed
from blurscene_stream.track.motion import Rows, to_boxes, to_rows
from blurscene_stream.track.tracks import END_FRAMES, GAP_FRAMES, Seen, Track, onward, steadied

UNSURE_HANDICAP = 0.5  # of a track that may be nothing, beside one that is something


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame that waits for later ones.

    found: what was detected, with the track of each box
    """

    number: int
    time_s: float
    scene: int
    found: Detections


class Tracker:
    """Follows objects over the frames of one stream, and adds the boxes that the detector missed.

    A frame waits until one comes that is `lookahead_s` later, so that what is to be added before an object was first
    seen, and between two sightings, is known in time. Every box that was found is covered whole, and a little more
    where it falls short of its neighbours in time. Doubtful ones stay where they continue an object that the detector
    was sure of at another time, as far as that is known then.
    """

    def __init__(self, config: TrackConfig, classes: tuple[str, ...]) -> None:
        """`classes`: the names that labels stand for."""
        self._config = config
        self._classes = classes
        self._waiting: deque[_Waiting] = deque()
        self._tracks: list[Track] = []
        self._ids, self._numbers = count(), count()
        self._scene = 0

    def push(
        self, time_s: float, found: Detections, cut: bool = False, look: ScanMode = ScanMode.full
    ) -> list[Detections]:
        """Take what was found in the next frame; give what must be covered in those that have waited long enough.

        time_s: rising from frame to frame
        found:  all found or doubtful; their order does not matter
        cut:    a new scene begins with the frame
        look:   how the detector looked

        Raises DetectionError when `found` has other classes.
        """
        number, ordered = next(self._numbers), found[_order(found)]
        if found.class_names != self._classes:
            raise DetectionError(f"frame {number}: found are classes {found.class_names}, expected {self._classes}")
        self._scene += cut
        tracks = self._follow(number, time_s, ordered, look)
        self._waiting.append(_Waiting(number, time_s, self._scene, replace(ordered, track_ids=tracks)))
        done = []
        while self._waiting and self._is_due(time_s):
            done.append(self._complete(self._waiting.popleft()))
        self._forget(number, time_s)
        return done

    def finish(self) -> list[Detections]:
        """What must be covered in the frames that still wait, when no other comes or all waited too long."""
        done = [self._complete(waiting) for waiting in self._waiting]
        self._waiting.clear()
        return done

    def _is_due(self, time_s: float) -> bool:
        waited_s = time_s - self._waiting[0].time_s
        return waited_s >= self._config.lookahead_s or len(self._waiting) > self._config.lookahead_frames

    def _follow(self, number: int, time_s: float, found: Detections, look: ScanMode) -> NDArray[np.int64]:
        """Let each detection continue a track, or begin one; the id of each detection's track."""
        ids = np.full(len(found), NO_TRACK)
        rows = to_rows(found.xyxy)
        for label in np.unique(found.class_ids):
            alive = [track for track in self._tracks if track.label == label and self._is_alive(track, number, time_s)]
            for origin in (Origin.detected, Origin.low_confidence):  # sure ones choose first
                here = np.flatnonzero((found.class_ids == label) & (found.origins == origin))
                pairs = _assigned(alive, rows[here], time_s)
                for place, detection in enumerate(here.tolist()):
                    track, far = pairs.get(place) or (self._begin(int(label)), False)
                    score = float(found.scores[detection])
                    seen = Seen(time_s, score, origin is Origin.detected, far, look is ScanMode.full)
                    track.see(number, rows[detection], seen)
                    ids[detection] = track.id
                alive = [track for track in alive if track.numbers[-1] != number]
        return ids

    def _is_alive(self, track: Track, number: int, time_s: float) -> bool:
        return track.scene == self._scene and track.may_be_back(number, time_s, self._config)

    def _begin(self, label: int) -> Track:
        self._tracks.append(Track(next(self._ids), label, self._scene))
        return self._tracks[-1]

    def _complete(self, waiting: _Waiting) -> Detections:
        """Everything to cover in a frame, as far as it is known now."""
        sure = {track.id: track for track in self._tracks if track.sure}
        kept = [origin == Origin.detected or id_ in sure for origin, id_ in _pairs(waiting.found)]
        found = _steadied(waiting.found[np.array(kept, np.bool_)], sure, waiting)
        guesses = [
            guess
            for track in sure.values()
            if track.scene == waiting.scene
            for guess in track.guesses(waiting.number, waiting.time_s, self._config)
        ]
        if not guesses:
            return found
        places = placed(guesses, waiting.time_s)
        return Detections.concatenate([found, added(guesses, places, self._classes)])

    def _forget(self, number: int, time_s: float) -> None:
        """Drop what no frame that waits or comes can depend on; `number` and `time_s` are of the newest."""
        oldest, oldest_s = (self._waiting[0].number, self._waiting[0].time_s) if self._waiting else (number, time_s)
        post_roll_s = self._config.post_roll_s
        since_s = oldest_s - max(self._config.max_gap_s, post_roll_s)
        self._tracks = [
            track
            for track in self._tracks
            if track.times_s[-1] >= since_s or track.numbers[-1] > oldest - max(GAP_FRAMES, END_FRAMES)
        ]
        for track in self._tracks:
            track.forget(oldest, oldest_s - post_roll_s)


def _assigned(tracks: list[Track], rows: Rows, time_s: float) -> dict[int, tuple[Track, bool]]:
    """Detections, each with the track that it continues, and whether it lies far from where that should be."""
    if not tracks:
        return {}
    lines = onward(tracks)
    expected, handicap = lines.at(time_s), np.array([0.0 if track.sure else UNSURE_HANDICAP for track in tracks])
    pairs = assign(expected, lines.deviation(time_s), rows, handicap)
    chosen, detections = [track for track, _ in pairs], [detection for _, detection in pairs]
    far = are_far(expected[chosen], rows[detections]).tolist()
    return {place: (tracks[track], far[n]) for n, (track, place) in enumerate(pairs)}


def _order(found: Detections) -> NDArray[np.intp]:
    """By class, the best first; what is equal in all is the same."""
    x0, y0, x1, y1 = found.xyxy.T
    return np.lexsort((y1, x1, y0, x0, -found.scores, found.origins, found.class_ids))


def _pairs(found: Detections) -> list[tuple[int, int]]:
    return list(zip(found.origins.tolist(), found.track_ids.tolist(), strict=True))


def _steadied(found: Detections, tracks: Mapping[int, Track], waiting: _Waiting) -> Detections:
    """Each box as the one around it and around what its track says of it."""
    if not len(found):
        return found
    seen = [tracks[id_] for id_ in found.track_ids.tolist()]
    steady = to_boxes(steadied(seen, waiting.number, waiting.time_s))
    low, high = np.minimum(found.xyxy[:, :2], steady[:, :2]), np.maximum(found.xyxy[:, 2:], steady[:, 2:])
    return replace(found, xyxy=np.concatenate((low, high), axis=1))
