"""The tracker: detections in, detections and predictions out, a bounded time later."""

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
from blurscene_stream.track.association import Association, associate
from blurscene_stream.track.motion import to_boxes, to_states
from blurscene_stream.track.tracks import END_FRAMES, GAP_FRAMES, Observation, Track, predicted_detections, smoothed
from blurscene_stream.track.uncertainty import UncertaintyLimits


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingFrame:
    """A frame that waits for later ones, with its detections and the track of each."""

    number: int
    time_s: float
    scene: int
    detections: Detections


class Tracker:
    """Tracks objects over the frames of one stream, and adds the boxes that the detector missed.

    A frame waits until one comes that is `lookahead_s` later, so that what is to be added before an object was first
    detected, and between two detections, is known in time. Every detected box is covered whole, and a little more where
    it falls short of its neighbours in time. Low-confidence ones stay where they continue an object that was detected
    at another time, as far as that is known then.
    """

    def __init__(self, config: TrackConfig, class_names: tuple[str, ...], uncertainty: UncertaintyLimits) -> None:
        """`class_names`: those of all detections; `uncertainty`: the objects whose pre-roll and post-roll are short."""
        self._config = config
        self._class_names = class_names
        self._uncertainty = uncertainty
        self._waiting: deque[_WaitingFrame] = deque()
        self._tracks: list[Track] = []
        self._ids, self._numbers = count(), count()
        self._scene = 0

    def push(self, time_s: float, detections: Detections, cut: bool = False) -> list[Detections]:
        """Take the detections in the next frame; return what must be covered in those that have waited long enough.

        time_s:     rising from frame to frame
        detections: detected or of low confidence; their order does not matter
        cut:        a new scene begins with the frame

        Raises DetectionError when `detections` has other classes.
        """
        number, ordered = next(self._numbers), detections[_order(detections)]
        if detections.class_names != self._class_names:
            raise DetectionError(
                f"frame {number}: the detections have classes {detections.class_names}, expected {self._class_names}"
            )
        self._scene += cut
        ids = self._update(number, time_s, ordered)
        self._waiting.append(_WaitingFrame(number, time_s, self._scene, replace(ordered, track_ids=ids)))
        done = []
        while self._waiting and self._is_due(time_s):
            done.append(self._complete(self._waiting.popleft()))
        self._forget(number, time_s)
        return done

    def finish(self) -> list[Detections]:
        """Return what must be covered in the frames that still wait, when no other comes or all waited too long."""
        done = [self._complete(waiting) for waiting in self._waiting]
        self._waiting.clear()
        return done

    def _is_due(self, time_s: float) -> bool:
        waited_s = time_s - self._waiting[0].time_s
        return waited_s >= self._config.lookahead_s or len(self._waiting) > self._config.lookahead_frames

    def _update(self, number: int, time_s: float, detections: Detections) -> NDArray[np.int64]:
        """Let each detection continue a track, or begin one; the id of each detection's track."""
        ids = np.full(len(detections), NO_TRACK)
        states = to_states(detections.xyxy)
        for class_id in np.unique(detections.class_ids).tolist():
            alive = [
                track for track in self._tracks if track.class_id == class_id and self._is_alive(track, number, time_s)
            ]
            for origin in (Origin.detected, Origin.low_confidence):  # confident ones choose first
                here = np.flatnonzero((detections.class_ids == class_id) & (detections.origins == origin))
                continued = associate(alive, states[here], time_s)
                for index, detection in enumerate(here.tolist()):
                    track, far = continued.get(index) or Association(self._begin(class_id), far=False)
                    score, confident = float(detections.scores[detection]), origin is Origin.detected
                    track.add(number, states[detection], Observation(time_s, score, confident, far))
                    ids[detection] = track.id
                alive = [track for track in alive if track.numbers[-1] != number]
        return ids

    def _is_alive(self, track: Track, number: int, time_s: float) -> bool:
        return track.scene == self._scene and track.may_continue(number, time_s, self._config)

    def _begin(self, class_id: int) -> Track:
        self._tracks.append(Track(next(self._ids), class_id, self._scene, self._uncertainty))
        return self._tracks[-1]

    def _complete(self, frame: _WaitingFrame) -> Detections:
        """Everything to cover in a frame, as far as it is known now."""
        confirmed = {track.id: track for track in self._tracks if track.confirmed}
        origins, ids = frame.detections.origins, frame.detections.track_ids
        kept = (origins == Origin.detected) | np.isin(ids, list(confirmed))
        detections = _widened(frame.detections[kept], confirmed, frame)
        predictions = [
            prediction
            for track in confirmed.values()
            if track.scene == frame.scene
            for prediction in track.predictions(frame.number, frame.time_s, self._config)
        ]
        if not predictions:
            return detections
        return Detections.concatenate([detections, predicted_detections(predictions, frame.time_s, self._class_names)])

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


def _order(detections: Detections) -> NDArray[np.intp]:
    """By class, the best first; what is equal in all is the same."""
    x0, y0, x1, y1 = detections.xyxy.T
    return np.lexsort((y1, x1, y0, x0, -detections.scores, detections.origins, detections.class_ids))


def _widened(detections: Detections, tracks: Mapping[int, Track], frame: _WaitingFrame) -> Detections:
    """Each box as the one around it and around its track, smoothed."""
    if not len(detections):
        return detections
    own_tracks = [tracks[track_id] for track_id in detections.track_ids.tolist()]
    smooth = to_boxes(smoothed(own_tracks, frame.number, frame.time_s))
    low = np.minimum(detections.xyxy[:, :2], smooth[:, :2])
    high = np.maximum(detections.xyxy[:, 2:], smooth[:, 2:])
    return replace(detections, xyxy=np.concatenate((low, high), axis=1))
