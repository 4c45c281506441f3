"""One object over time: where it was seen, and what that tells of frames in which it was not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from blurscene_stream.boxes import Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track.motion import Lines, Rows, fit

USED = 8  # boxes that a line is drawn through, at most: older ones count for nothing

GAP_FRAMES, END_FRAMES = 2, 1
"""What counts however long a frame lasts: the gap of one missed frame, and the one frame beside an end. At one frame a
second all limits in seconds may be shorter than that."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How an object was seen in a frame.

    time_s: of the frame
    score:  how sure the detector was
    sure:   it was sure enough by itself
    far:    so far from where it was expected that it may be another object
    full:   by a full look
    """

    time_s: float
    score: float
    sure: bool = True
    far: bool = False
    full: bool = True


@dataclass(slots=True, eq=False)
class Track:
    """One object, as far as it is remembered.

    scene:   which scene it belongs to; it does not outlive it
    sure:    the detector was sure of it at least once; else it may be nothing
    plain:   its sightings tell one story, see `_stories`
    numbers: frames in which it was seen, rising
    times_s: their times
    rows:    (N, 4), where it was, as in motion.py
    seen:    how it was seen
    """

    id: int
    label: int
    scene: int
    sure: bool = False
    plain: bool = True
    numbers: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    rows: Rows = field(default_factory=lambda: np.zeros((0, 4)))
    seen: list[Seen] = field(default_factory=list)

    def see(self, number: int, row: Rows, seen: Seen) -> None:
        """It was seen in a frame that comes after all others."""
        self.numbers.append(number)
        self.times_s.append(seen.time_s)
        self.rows = np.concatenate((self.rows, row[None]))
        self.seen.append(seen)
        self.sure |= seen.sure
        self.plain &= seen.full and not seen.far

    def may_be_back(self, number: int, time_s: float, config: TrackConfig) -> bool:
        """Whether what is seen in a coming frame may be this object."""
        return reaches(config.max_gap_s, time_s - self.times_s[-1], number - self.numbers[-1], GAP_FRAMES)

    def forget(self, oldest: int, since_s: float) -> None:
        """Keep what frames from number `oldest` on, the line into the future, and what is held since then depend on."""
        spare = min(bisect_left(self.numbers, oldest - END_FRAMES), bisect_left(self.times_s, since_s)) - USED
        if spare > 0:
            del self.numbers[:spare], self.times_s[:spare], self.seen[:spare]
            self.rows = self.rows[spare:]

    def guesses(self, number: int, time_s: float, config: TrackConfig) -> list[Guess]:
        """Where it is in a frame, by each of its stories in which it was not seen then, but shortly before or after."""
        found = (guess for story in self._stories() for guess in self._expected(story, number, time_s, config))
        return list(dict.fromkeys(found))

    def _stories(self) -> Iterator[Sequence[int]]:
        """Its sightings, and those of them that may be all there are.

        A box that was found far off may be of another object, and the one before stands where it stood, unseen. What a
        small look says never takes away what the full ones say.
        """
        every = range(len(self.seen))
        yield every
        if self.plain:
            return
        yield [place for place in every if self.seen[place].full]
        begins = [place for place in every if place and self.seen[place].far]
        for start, end in zip([0, *begins], [*begins, len(every)], strict=True) if begins else ():
            if any(seen.sure for seen in self.seen[start:end]):  # else it is nothing when it is alone
                yield range(start, end)

    def _expected(self, story: Sequence[int], number: int, time_s: float, config: TrackConfig) -> Iterator[Guess]:
        after = bisect_left(story, number, key=self.numbers.__getitem__)
        if after < len(story) and self.numbers[story[after]] == number:
            return
        last, next_ = (story[after - 1] if after else None), (story[after] if after < len(story) else None)
        if last is not None and next_ is not None and self._is_gap(last, next_, config):
            yield Guess(self, (last, next_), Origin.interpolated)
            return
        if last is not None and self._is_end(last, number, time_s, config.post_roll_s):
            yield Guess(self, tuple(story[max(after - USED, 0) : after][::-1]), Origin.extrapolated)
        if next_ is not None and self._is_end(next_, number, time_s, config.pre_roll_s):
            yield Guess(self, tuple(story[after : after + USED]), Origin.extrapolated)

    def _is_gap(self, first: int, last: int, config: TrackConfig) -> bool:
        apart_s, frames = self.times_s[last] - self.times_s[first], self.numbers[last] - self.numbers[first]
        return reaches(config.max_gap_s, apart_s, frames, GAP_FRAMES)

    def _is_end(self, end: int, number: int, time_s: float, limit_s: float) -> bool:
        return reaches(limit_s, abs(time_s - self.times_s[end]), abs(number - self.numbers[end]), END_FRAMES)


def reaches(limit_s: float, apart_s: float, apart: int, least: int) -> bool:
    """Whether two frames lie within a limit of seconds, or at most `least` frames apart; within 0 there is nothing."""
    return apart_s <= limit_s or (limit_s > 0 and apart <= least)


@dataclass(frozen=True, slots=True)
class Guess:
    """That an object is in a frame in which it was not seen.

    sightings: those of the track that tell so: the last one before and the first one behind where it is filled; the
               nearest first where it is held
    """

    track: Track
    sightings: tuple[int, ...]
    origin: Origin

    @property
    def score(self) -> float:
        """The lower one of those between which it lies, or that of the nearest."""
        told = self.sightings if self.origin is Origin.interpolated else self.sightings[:1]
        return min(self.track.seen[place].score for place in told)


def onward(tracks: Sequence[Track]) -> Lines:
    """The lines of `tracks` into the future."""
    return fitted(tracks, [range(len(track.numbers) - 1, -1, -1)[:USED] for track in tracks])


def steadied(tracks: Sequence[Track], number: int, time_s: float) -> Rows:
    """Where the sightings around frame `number` say that each of the tracks, which were seen in it, was then (N, 4).

    Detected edges jitter: where one falls short, its neighbours do not.
    """
    return fitted(tracks, [_around(track.numbers, number) for track in tracks]).at(time_s)


def _around(numbers: list[int], number: int) -> list[int]:
    """The place of `number`, and of as many before it as behind it."""
    here, reach = bisect_left(numbers, number), (USED - 1) // 2
    low, high = max(here - reach, 0), min(here + reach + 1, len(numbers))
    return [here, *range(low, here), *range(here + 1, high)]


def fitted(tracks: Sequence[Track], chosen: Sequence[Sequence[int]]) -> Lines:
    """The lines through the chosen sightings of each track, the one that is followed first."""
    known = np.arange(USED) < np.array([len(picked) for picked in chosen])[:, None]
    times_s, rows = np.zeros(known.shape), np.zeros((*known.shape, 4))
    starts = list(accumulate((len(track.rows) for track in tracks), initial=0))[:-1]
    pairs = list(zip(tracks, starts, chosen, strict=True))
    times_s[known] = [track.times_s[place] for track, _, picked in pairs for place in picked]
    together = np.concatenate([track.rows for track in tracks])  # one call for all of a crowd
    rows[known] = together[[start + place for _, start, picked in pairs for place in picked]]
    return fit(times_s, rows, known)
