"""Objects that move, and what a detector says of them: for the tracker's tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track import Tracker

CLASSES = ("face", "license_plate")
Found = tuple[float, float, float, float, float, int, Origin]  # corners, score, label, origin


def detections(found: Sequence[Found]) -> Detections:
    """Detections of rows."""
    rows = np.array([[*each[:5]] for each in found], np.float32).reshape(-1, 5)
    labels = np.array([each[5] for each in found], np.int64)
    return Detections(rows[:, :4], rows[:, 4], labels, CLASSES, np.array([each[6] for each in found], np.int8))


def box(x: float, y: float, side: float = 20.0, score: float = 0.9, origin: Origin = Origin.found) -> Found:
    """A square face around a point."""
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2, score, 0, origin)


def tracked(
    times_s: Sequence[float], found: Sequence[Sequence[Found]], config: TrackConfig | None = None
) -> list[Detections]:
    """What must be covered in each frame."""
    tracker = Tracker(config or TrackConfig(), CLASSES)
    done: list[Detections] = []
    for time_s, each in zip(times_s, found, strict=True):
        done += tracker.push(time_s, detections(each))
    return done + tracker.finish()


@st.composite
def settings(draw: st.DrawFn) -> TrackConfig:
    """Any settings that are allowed."""
    lookahead_s, hold_s = draw(st.sampled_from([0.0, 0.1, 0.5, 2.0])), draw(st.sampled_from([0.0, 0.1, 0.3, 1.0]))
    return TrackConfig(
        lookahead_s=lookahead_s,
        lookahead_frames=draw(st.sampled_from([1, 3, 128])),
        hold_s=hold_s,
        lead_s=draw(st.floats(0, 1)) * lookahead_s,
        max_gap_s=draw(st.floats(0, 1)) * (lookahead_s + hold_s),
    )


@st.composite
def clips(draw: st.DrawFn) -> tuple[list[float], list[list[Found]]]:
    """Times that rise unevenly, and boxes in each frame: some of objects that move, some of nothing."""
    count = draw(st.integers(1, 25))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = chance.choice([0.001, 0.02, 0.04, 0.04, 0.1, 0.7], count)
    times = np.cumsum(steps) + draw(st.sampled_from([0.0, 1e5]))
    objects = [_object(chance) for _ in range(draw(st.integers(0, 4)))]
    seen = draw(st.sampled_from([0.1, 0.5, 0.9]))
    frames = [[one(time) for one in objects if chance.random() < seen] + _nothing(chance) for time in times.tolist()]
    return times.tolist(), frames


def _object(chance: np.random.Generator):  # type: ignore[no-untyped-def]
    start, speed = chance.uniform(0, 400, 2), chance.uniform(-150, 150, 2)
    side, label, growth = chance.uniform(3, 80), int(chance.integers(2)), chance.uniform(-0.5, 0.5)

    def at(time_s: float) -> Found:
        middle = start + speed * (time_s % 1e5) + chance.normal(0, 0.03 * side, 2)
        half = side / 2 * np.exp(growth * (time_s % 1e5)) * np.array([1, chance.uniform(0.9, 1.1)])
        score = float(chance.uniform(0.1, 1))
        corners = (*(middle - half).tolist(), *(middle + half).tolist())
        return (*corners, score, label, Origin.found if score > 0.4 else Origin.doubtful)

    return at


def _nothing(chance: np.random.Generator) -> list[Found]:
    if chance.random() < 0.7:
        return []
    x, y, side = chance.uniform(-20, 400, 3)
    origin = Origin.found if chance.random() < 0.3 else Origin.doubtful
    return [(x, y, x + side / 4, y + side / 3, float(chance.uniform(0.1, 1)), int(chance.integers(2)), origin)]
