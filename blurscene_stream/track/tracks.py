"""Tracks: the observations of one object over time, and the frames between and beside them where it is predicted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track.motion import Floats, States, Trajectories, fit, grow, interpolate, limit_sizes
from blurscene_stream.track.uncertainty import UncertaintyLimits

MAX_FITTED = 8  # observations that a line is fitted to: older ones have no weight left

GAP_FRAMES, END_FRAMES = 2, 1
"""Frames that are bridged however long each lasts: the gap of one missed frame, and the one frame beside an end. At one
frame per second all limits in seconds may be shorter than that."""


@dataclass(frozen=True, slots=True)
class Observation:
    """An object as it was detected in a frame.

    time_s:    of the frame
    score:     the detector's
    confident: the score is above the class's threshold
    far:       so far from its expected place that it may be another object
    """

    time_s: float
    score: float
    confident: bool = True
    far: bool = False


@dataclass(slots=True, eq=False)
class Track:
    """One object, as far as it is remembered.

    scene:        number of the scene it belongs to; it does not outlive it
    uncertainty:  limits within which it is uncertain
    confirmed:    at least one observation is confident; else it is tentative, and may be nothing
    unambiguous:  its observations allow one hypothesis only, see `_hypotheses`
    best_score:   of all observations, forgotten ones too
    numbers:      frames in which it was observed, rising
    times_s:      their times
    states:       (N, 4), where it was, as in motion.py
    observations: N
    """

    id: int
    class_id: int
    scene: int
    uncertainty: UncertaintyLimits
    confirmed: bool = False
    unambiguous: bool = True
    best_score: float = 0.0
    numbers: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    states: States = field(default_factory=lambda: np.zeros((0, 4)))
    observations: list[Observation] = field(default_factory=list)

    def add(self, number: int, state: States, observation: Observation) -> None:
        """Add an observation in a frame that comes after all others."""
        self.numbers.append(number)
        self.times_s.append(observation.time_s)
        self.states = np.concatenate((self.states, state[None]))
        self.observations.append(observation)
        self.confirmed |= observation.confident
        self.unambiguous &= not observation.far
        self.best_score = max(self.best_score, observation.score)

    def may_continue(self, number: int, time_s: float, config: TrackConfig) -> bool:
        """Whether a detection in a coming frame may be this object."""
        return is_within(config.max_gap_s, time_s - self.times_s[-1], number - self.numbers[-1], GAP_FRAMES)

    def forget(self, oldest: int, since_s: float) -> None:
        """Keep what frames from number `oldest` on, the line into the future, and post-roll since then depend on."""
        spare = min(bisect_left(self.numbers, oldest - END_FRAMES), bisect_left(self.times_s, since_s)) - MAX_FITTED
        if spare > 0:
            del self.numbers[:spare], self.times_s[:spare], self.observations[:spare]
            self.states = self.states[spare:]

    def predictions(self, number: int, time_s: float, config: TrackConfig) -> list[Prediction]:
        """Predict it in a frame, by each hypothesis in which it was not observed then, but shortly before or after."""
        found = (each for chosen in self._hypotheses() for each in self._predict(chosen, number, time_s, config))
        return list(dict.fromkeys(found))

    def _hypotheses(self) -> Iterator[range]:
        """All observations, and those runs of them that may be all there are of one object.

        A box that was found far off may be of another object, and the one before stands where it stood, unseen.
        """
        every = range(len(self.observations))
        yield every
        if self.unambiguous:
            return
        begins = [index for index in every if index and self.observations[index].far]
        for start, end in zip([0, *begins], [*begins, len(every)], strict=True) if begins else ():
            if any(each.confident for each in self.observations[start:end]):  # else it is nothing when it is alone
                yield range(start, end)

    def _predict(self, chosen: range, number: int, time_s: float, config: TrackConfig) -> Iterator[Prediction]:
        after = bisect_left(chosen, number, key=self.numbers.__getitem__)
        if after < len(chosen) and self.numbers[chosen[after]] == number:
            return
        last, next_ = (chosen[after - 1] if after else None), (chosen[after] if after < len(chosen) else None)
        if last is not None and next_ is not None and self._is_gap(last, next_, config):
            yield Prediction(self, (last, next_), Origin.interpolated)
            return
        if last is not None and self._is_end(last, number, time_s, self._roll_s(last, config.post_roll_s, config)):
            yield Prediction(self, tuple(chosen[max(after - MAX_FITTED, 0) : after][::-1]), Origin.extrapolated)
        if next_ is not None and self._is_end(next_, number, time_s, self._roll_s(next_, config.pre_roll_s, config)):
            yield Prediction(self, tuple(chosen[after : after + MAX_FITTED]), Origin.extrapolated)

    def _is_gap(self, first: int, last: int, config: TrackConfig) -> bool:
        apart_s, frames = self.times_s[last] - self.times_s[first], self.numbers[last] - self.numbers[first]
        return is_within(config.max_gap_s, apart_s, frames, GAP_FRAMES)

    def _roll_s(self, end: int, roll_s: float, config: TrackConfig) -> float:
        uncertain = self.uncertainty.include(self.class_id, self.best_score, self.states[end])
        return min(roll_s, config.uncertain_roll_s) if uncertain else roll_s

    def _is_end(self, end: int, number: int, time_s: float, limit_s: float) -> bool:
        return is_within(limit_s, abs(time_s - self.times_s[end]), abs(number - self.numbers[end]), END_FRAMES)


def is_within(limit_s: float, apart_s: float, frames: int, min_frames: int) -> bool:
    """Whether two frames lie within `limit_s` or at most `min_frames` apart; within a limit of 0 there is nothing."""
    return apart_s <= limit_s or (limit_s > 0 and frames <= min_frames)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The claim that an object is in a frame in which it was not observed.

    observations: indices of those that it rests on: the last one before and the first one behind where it is
                  interpolated; the nearest first where it is extrapolated
    """

    track: Track
    observations: tuple[int, ...]
    origin: Origin

    @property
    def score(self) -> float:
        """The lower one of those between which it lies, or that of the nearest."""
        nearest = self.observations if self.origin is Origin.interpolated else self.observations[:1]
        return min(self.track.observations[index].score for index in nearest)


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
    last_seen = np.array([each.track.states[each.observations[0]] for each in predictions])
    return limit_sizes(lines.at(time_s), last_seen), lines.deviation(time_s)
