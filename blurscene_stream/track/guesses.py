"""Where objects must be in a frame in which they were not seen, for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.track.motion import Rows, between, grown
from blurscene_stream.track.tracks import Guess, fitted


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where objects may be.

    rows:      (N, 4), as in motion.py
    deviation: (N,), how far off each may be, in sizes
    """

    rows: Rows
    deviation: Rows


def placed(guesses: Sequence[Guess], time_s: float) -> Places:
    """Where each guess says that its object was at a time."""
    places = Places(np.zeros((len(guesses), 4)), np.zeros(len(guesses)))
    for origin, place in ((Origin.interpolated, _filled), (Origin.extrapolated, _held)):
        here = [index for index, guess in enumerate(guesses) if guess.origin is origin]
        if here:
            places.rows[here], places.deviation[here] = place([guesses[index] for index in here], time_s)
    return places


def _filled(guesses: Sequence[Guess], time_s: float) -> tuple[Rows, Rows]:
    ends = [guess.sightings for guess in guesses]
    times_s = np.array([[guess.track.times_s[end] for end in pair] for guess, pair in zip(guesses, ends, strict=True)])
    rows = np.array([guess.track.rows[list(pair)] for guess, pair in zip(guesses, ends, strict=True)])
    seconds = times_s[:, 1] - times_s[:, 0]
    return between(rows[:, 0], rows[:, 1], (time_s - times_s[:, 0]) / seconds, seconds)


def _held(guesses: Sequence[Guess], time_s: float) -> tuple[Rows, Rows]:
    lines = fitted([guess.track for guess in guesses], [guess.sightings for guess in guesses])
    return lines.at(time_s), lines.deviation(time_s)


def added(guesses: Sequence[Guess], places: Places, classes: tuple[str, ...]) -> Detections:
    """What is to be covered for `guesses`, of which there is at least one.

    places: of each, in pixels of the frame that is covered
    """
    return Detections(
        xyxy=grown(places.rows, places.deviation),
        scores=np.array([guess.score for guess in guesses], np.float32),
        class_ids=np.array([guess.track.label for guess in guesses], np.int64),
        class_names=classes,
        origins=np.array([guess.origin for guess in guesses], np.int8),
        track_ids=np.array([guess.track.id for guess in guesses], np.int64),
    )
