"""One object over time: where it was seen, and where it must be when it was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track.camera import Step
from blurscene_stream.track.motion import Lines, Rows, between, fit

USED = 8  # boxes that a line is drawn through, at most: older ones count for nothing


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """Where an object that was not seen is expected.

    row:       (4,), as in motion.py
    deviation: how far off it may be, in sizes
    score:     the lower of those between which it lies
    """

    row: Rows
    deviation: float
    score: float
    origin: Origin


@dataclass(slots=True, eq=False)
class Track:
    """One object, as far as it is remembered.

    scene:     which scene it belongs to; it does not outlive it
    sure:      the detector was sure of it at least once; else it may be nothing
    numbers:   frames in which it was seen, rising
    times_s:   their times
    rows:      (N, 4), where it was, as in motion.py; in pixels of the newest frame, wherever the camera looked then
    scores:    how sure the detector was
    """

    id: int
    label: int
    scene: int
    sure: bool = False
    numbers: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    rows: Rows = field(default_factory=lambda: np.zeros((0, 4)))
    scores: list[float] = field(default_factory=list)

    def see(self, number: int, time_s: float, row: Rows, score: float, sure: bool) -> None:
        """It was seen in a frame that comes after all others."""
        self.numbers.append(number)
        self.times_s.append(time_s)
        self.rows = np.concatenate((self.rows, row[None]))
        self.scores.append(score)
        self.sure |= sure

    def move(self, step: Step) -> None:
        """There is a newer frame, and the camera has moved."""
        self.rows[:, :2] = self.rows[:, :2] * step.scale + (step.right, step.down)
        self.rows[:, 2:] += np.log(step.scale)

    def forget(self, oldest: int) -> None:
        """Keep what frames from number `oldest` on, and the line into the future, depend on."""
        spare = sum(number < oldest for number in self.numbers) - USED
        if spare > 0:
            del self.numbers[:spare], self.times_s[:spare], self.scores[:spare]
            self.rows = self.rows[spare:]

    def steadied(self, number: int) -> Rows:
        """Where the sightings around that in frame `number`, and it, say that the object was then (4,).

        Detected edges jitter: where one falls short, its neighbours do not.
        """
        here = self.numbers.index(number)
        near = [
            here,
            *range(max(here - USED // 2, 0), here),
            *range(here + 1, min(here + USED // 2 + 1, len(self.numbers))),
        ]
        times_s = np.array(self.times_s)[near]
        line = fit(times_s[None], self.rows[near][None], np.ones((1, len(near)), np.bool_))
        return np.asarray(line.at(times_s[0])[0], np.float64)

    def guess(self, number: int, time_s: float, config: TrackConfig) -> Guess | None:
        """Where it is in a frame; None where it was seen, or must not be expected any more or yet."""
        after = int(np.searchsorted(self.numbers, number))
        if after < len(self.numbers) and self.numbers[after] == number:
            return None
        if 0 < after < len(self.numbers):
            return self._filled(after, time_s)
        if after and time_s - self.times_s[-1] <= config.hold_s:
            return self._held(slice(None, -USED - 1, -1), time_s)
        if not after and self.times_s[0] - time_s <= config.lead_s:
            return self._held(slice(USED), time_s)
        return None

    def _filled(self, after: int, time_s: float) -> Guess:
        start_s, end_s = self.times_s[after - 1 : after + 1]
        share = (time_s - start_s) / (end_s - start_s)
        row, deviation = between(self.rows[after - 1], self.rows[after], share, end_s - start_s)
        return Guess(row, deviation, min(self.scores[after - 1 : after + 1]), Origin.filled)

    def _held(self, chosen: slice, time_s: float) -> Guess:
        """On from the chosen boxes, the nearest of which comes first."""
        times_s = np.array(self.times_s[chosen])[None]
        line = fit(times_s, self.rows[chosen][None], np.ones(times_s.shape, np.bool_))
        return Guess(line.at(time_s)[0], float(line.deviation(time_s)[0]), self.scores[chosen][0], Origin.held)


def lines(tracks: Sequence[Track]) -> Lines:
    """The lines of `tracks` into the future."""
    times_s, rows = np.zeros((len(tracks), USED)), np.zeros((len(tracks), USED, 4))
    known: NDArray[np.bool_] = np.zeros((len(tracks), USED), np.bool_)
    for place, track in enumerate(tracks):
        count = min(len(track.numbers), USED)
        times_s[place, :count] = track.times_s[: -count - 1 : -1]
        rows[place, :count] = track.rows[: -count - 1 : -1]
        known[place, :count] = True
    return fit(times_s, rows, known)
