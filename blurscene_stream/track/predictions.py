"""Predictions in bulk: where many tracks are in a frame, and the boxes that cover them there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.track.motion import Floats, States, Trajectories, fit, grow, interpolate
from blurscene_stream.track.tracks import MAX_FITTED, Prediction, Track


def forward_trajectories(tracks: Sequence[Track]) -> Trajectories:
    """Fit the lines of `tracks` into the future."""
    return _fit_chosen(tracks, [range(len(track.observations) - 1, -1, -1)[:MAX_FITTED] for track in tracks])


def smoothed(tracks: Sequence[Track], number: int, time_s: float) -> States:
    """Return the state of each track in frame `number`, in which it was observed, by the observations around it (N, 4).

    Detected edges jitter: where one falls short, its neighbours do not.
    """
    return _fit_chosen(tracks, [_around(track.numbers, number) for track in tracks]).at(time_s)


def _around(numbers: list[int], number: int) -> list[int]:
    """The index of `number`, and of as many before it as behind it."""
    here, reach = bisect_left(numbers, number), (MAX_FITTED - 1) // 2
    low, high = max(here - reach, 0), min(here + reach + 1, len(numbers))
    return [here, *range(low, here), *range(here + 1, high)]


def _fit_chosen(tracks: Sequence[Track], chosen: Sequence[Sequence[int]]) -> Trajectories:
    """The lines through the chosen observations of each track, the end that is extrapolated first."""
    known = np.arange(MAX_FITTED) < np.array([len(picked) for picked in chosen])[:, None]
    times_s, states = np.zeros(known.shape), np.zeros((*known.shape, 4))
    starts = list(accumulate((len(track.states) for track in tracks), initial=0))[:-1]
    pairs = list(zip(tracks, starts, chosen, strict=True))
    times_s[known] = [track.times_s[index] for track, _, picked in pairs for index in picked]
    together = np.concatenate([track.states for track in tracks])  # one call for all of a crowd
    states[known] = together[[start + index for _, start, picked in pairs for index in picked]]
    return fit(times_s, states, known)


def predicted_detections(predictions: Sequence[Prediction], time_s: float, class_names: tuple[str, ...]) -> Detections:
    """Return the boxes to cover for `predictions`, of which there is at least one, in a frame at `time_s`."""
    states, deviation = np.zeros((len(predictions), 4)), np.zeros(len(predictions))
    for origin, predict in ((Origin.interpolated, _interpolate), (Origin.extrapolated, _extrapolate)):
        here = [index for index, each in enumerate(predictions) if each.origin is origin]
        if here:
            states[here], deviation[here] = predict([predictions[index] for index in here], time_s)
    return Detections(
        xyxy=grow(states, deviation),
        scores=np.array([each.score for each in predictions], np.float32),
        class_ids=np.array([each.track.class_id for each in predictions], np.int64),
        class_names=class_names,
        origins=np.array([each.origin for each in predictions], np.int8),
        track_ids=np.array([each.track.id for each in predictions], np.int64),
    )


def _interpolate(predictions: Sequence[Prediction], time_s: float) -> tuple[States, Floats]:
    ends = [(each.track, list(each.observations)) for each in predictions]
    times_s = np.array([[track.times_s[end] for end in pair] for track, pair in ends])
    states = np.array([track.states[pair] for track, pair in ends])
    seconds = times_s[:, 1] - times_s[:, 0]
    return interpolate(states[:, 0], states[:, 1], (time_s - times_s[:, 0]) / seconds, seconds)


def _extrapolate(predictions: Sequence[Prediction], time_s: float) -> tuple[States, Floats]:
    lines = _fit_chosen([each.track for each in predictions], [each.observations for each in predictions])
    return lines.at(time_s), lines.deviation(time_s)
