"""One object over time: where it was seen, and where it must be when it was not."""

from __future__ import annotations

from bisect import bisect_left
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
        spare = bisect_left(self.numbers, oldest) - USED
        if spare > 0:
            del self.numbers[:spare], self.times_s[:spare], self.scores[:spare]
            self.rows = self.rows[spare:]

    def guess(self, number: int, time_s: float, config: TrackConfig) -> Guess | None:
        """Where it is in a frame; None where it was seen, or must not be expected any more or yet."""
        after = bisect_left(self.numbers, number)
        if after < len(self.numbers) and self.numbers[after] == number:
            return None
        if 0 < after < len(self.numbers):
            return self._filled(after, time_s)
        if after and time_s - self.times_s[-1] <= config.hold_s:
            return self._held(range(len(self.numbers) - 1, -1, -1)[:USED], time_s)
        if not after and self.times_s[0] - time_s <= config.lead_s:
            return self._held(range(len(self.numbers))[:USED], time_s)
        return None

    def _filled(self, after: int, time_s: float) -> Guess:
        start_s, end_s = self.times_s[after - 1 : after + 1]
        share = (time_s - start_s) / (end_s - start_s)
        row, deviation = between(self.rows[after - 1], self.rows[after], share, end_s - start_s)
        return Guess(row, deviation, min(self.scores[after - 1 : after + 1]), Origin.filled)

    def _held(self, chosen: Sequence[int], time_s: float) -> Guess:
        """On from the chosen sightings, the nearest of which comes first."""
        line = _fitted([self], [chosen])
        return Guess(line.at(time_s)[0], float(line.deviation(time_s)[0]), self.scores[chosen[0]], Origin.held)


def onward(tracks: Sequence[Track]) -> Lines:
    """The lines of `tracks` into the future."""
    return _fitted(tracks, [range(len(track.numbers) - 1, -1, -1)[:USED] for track in tracks])


def steadied(tracks: Sequence[Track], number: int, time_s: float) -> Rows:
    """Where the sightings around frame `number` say that each of the tracks, which were seen in it, was then (N, 4).

    Detected edges jitter: where one falls short, its neighbours do not.
    """
    return _fitted(tracks, [_around(track.numbers, number) for track in tracks]).at(time_s)


def _around(numbers: list[int], number: int) -> list[int]:
    """The place of `number`, and of as many before it as behind it."""
    here, reach = bisect_left(numbers, number), (USED - 1) // 2
    low, high = max(here - reach, 0), min(here + reach + 1, len(numbers))
    return [here, *range(low, here), *range(here + 1, high)]


def _fitted(tracks: Sequence[Track], chosen: Sequence[Sequence[int]]) -> Lines:
    """The lines through the chosen sightings of each track."""
    times_s, rows = np.zeros((len(tracks), USED)), np.zeros((len(tracks), USED, 4))
    known: NDArray[np.bool_] = np.zeros((len(tracks), USED), np.bool_)
    for place, (track, picked) in enumerate(zip(tracks, chosen, strict=True)):
        times_s[place, : len(picked)] = [track.times_s[index] for index in picked]
        rows[place, : len(picked)] = track.rows[picked]
        known[place, : len(picked)] = True
    return fit(times_s, rows, known)
