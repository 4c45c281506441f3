"""Objects that move, and what a detector says of them: for the tracker's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track import Tracker, UncertaintyLimits

CLASSES = ("face", "license_plate")
NONE_UNCERTAIN = UncertaintyLimits((0.0, 0.0), inf)
Found = tuple[float, float, float, float, float, int, Origin]  # corners, score, label, origin


@dataclass(frozen=True)
class Clip:
    """When each frame comes, what is found in it, and whether a scene begins with it."""

    times_s: list[float]
    found: list[list[Found]]
    cuts: list[bool]


def detections(found: Sequence[Found]) -> Detections:
    """Detections of rows."""
    rows = np.array([[*each[:5]] for each in found], np.float32).reshape(-1, 5)
    labels = np.array([each[5] for each in found], np.int64)
    return Detections(rows[:, :4], rows[:, 4], labels, CLASSES, np.array([each[6] for each in found], np.int8))


def within(inner: Boxes, outer: Boxes) -> NDArray[np.bool_]:
    """Which boxes lie in the boxes of the same place."""
    return np.asarray((outer[:, :2] <= inner[:, :2]).all(axis=1) & (outer[:, 2:] >= inner[:, 2:]).all(axis=1))


def covered(done: Detections, *found: Found) -> list[bool]:
    """Whether each of the boxes lies whole in one of those that are covered."""
    each = [np.broadcast_to(np.array(one[:4], np.float32), (len(done), 4)) for one in found]
    return [bool(within(one, done.xyxy).any()) for one in each]


def box(x: float, y: float, side: float = 20.0, score: float = 0.9, origin: Origin = Origin.detected) -> Found:
    """A square face around a point."""
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2, score, 0, origin)


def tracked(
    times_s: Sequence[float],
    found: Sequence[Sequence[Found]],
    config: TrackConfig | None = None,
    uncertainty: UncertaintyLimits = NONE_UNCERTAIN,
) -> list[Detections]:
    """What must be covered in each frame."""
    clip = Clip(list(times_s), list(map(list, found)), [False] * len(times_s))
    return watched(clip, config, uncertainty)


def watched(
    clip: Clip, config: TrackConfig | None = None, uncertainty: UncertaintyLimits = NONE_UNCERTAIN
) -> list[Detections]:
    """What must be covered in each frame of a clip."""
    tracker = Tracker(config or TrackConfig(), CLASSES, uncertainty)
    done: list[Detections] = []
    for time_s, each, cut in zip(clip.times_s, clip.found, clip.cuts, strict=True):
        done += tracker.push(time_s, detections(each), cut)
    return done + tracker.finish()


@st.composite
def settings(draw: st.DrawFn) -> TrackConfig:
    """Any settings that are allowed."""
    lookahead_s, post_roll_s = draw(st.sampled_from([0.0, 0.1, 0.5, 2.0])), draw(st.sampled_from([0.0, 0.1, 0.3, 1.0]))
    return TrackConfig(
        lookahead_s=lookahead_s,
        lookahead_frames=draw(st.sampled_from([1, 3, 128])),
        post_roll_s=post_roll_s,
        pre_roll_s=draw(st.floats(0, 1)) * lookahead_s,
        max_gap_s=draw(st.floats(0, 1)) * (lookahead_s + post_roll_s),
        uncertain_roll_s=draw(st.sampled_from([0.0, 0.05, 0.1, 2.0])),
    )


def uncertainty() -> st.SearchStrategy[UncertaintyLimits]:
    """Limits of any strictness."""
    scores = st.tuples(st.floats(0, 1), st.floats(0, 1))
    return st.builds(UncertaintyLimits, scores, st.sampled_from([0.0, 10.0, 40.0]))


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    """Times that rise unevenly, cuts, and boxes: some of objects that move, some of nothing."""
    count = draw(st.integers(1, 25))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    waits = chance.choice(draw(st.sampled_from([[0.001, 0.02, 0.04, 0.04, 0.1, 0.7], [1.0], [0.9, 2.5]])), count)
    times = np.cumsum(waits) + draw(st.sampled_from([0.0, 1e5]))
    cuts = (chance.random(count) < draw(st.sampled_from([0.0, 0.05]))).tolist()
    objects = [_object(chance) for _ in range(draw(st.integers(0, 4)))]
    seen = draw(st.sampled_from([0.1, 0.5, 0.9]))
    frames = list[list[Found]]()
    for time in times.tolist():
        here = [one(time) for one in objects if chance.random() < seen]
        frames.append(here + _nothing(chance))
    return Clip(times.tolist(), frames, cuts)


def _object(chance: np.random.Generator):  # type: ignore[no-untyped-def]
    start, speed = chance.uniform(0, 400, 2), chance.uniform(-150, 150, 2)
    side, label, growth = chance.uniform(3, 80), int(chance.integers(2)), chance.uniform(-0.5, 0.5)

    def at(time_s: float) -> Found:
        middle = start + speed * (time_s % 1e5) + chance.normal(0, 0.03 * side, 2)
        half = side / 2 * np.exp(growth * (time_s % 1e5)) * np.array([1, chance.uniform(0.9, 1.1)])
        score = float(chance.uniform(0.1, 1))
        corners = (*(middle - half).tolist(), *(middle + half).tolist())
        return (*corners, score, label, Origin.detected if score > 0.4 else Origin.low_confidence)

    return at


def _nothing(chance: np.random.Generator) -> list[Found]:
    if chance.random() < 0.7:
        return []
    x, y, side = chance.uniform(-20, 400, 3)
    origin = Origin.detected if chance.random() < 0.3 else Origin.low_confidence
    return [(x, y, x + side / 4, y + side / 3, float(chance.uniform(0.1, 1)), int(chance.integers(2)), origin)]
