"""Data association: which detection continues which object, and how wide the doubt is that is covered."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import PathFinder

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track.association import FORBIDDEN, _linear_sum_assignment, assign
from blurscene_stream.track.motion import ACCELERATION
from tests.profiles import examples
from tests.track.clips import Found, box, covered, tracked


def times_s(count: int, rate: float = 25) -> list[float]:
    return [number / rate for number in range(count)]


def sides(found: list[list[Found]], config: TrackConfig | None = None) -> dict[int, set[int]]:
    """The widths, in pixels, that each track was found with."""
    seen: dict[int, set[int]] = {}
    for number, each in enumerate(tracked(times_s(len(found)), found, config)):
        widths = {one[4]: round(one[2] - one[0]) for one in found[number]}  # told by their scores
        for track, score, origin in zip(each.track_ids.tolist(), each.scores.tolist(), each.origins, strict=True):
            if origin <= Origin.low_confidence:
                seen.setdefault(track, set()).add(widths[round(score, 3)])
    return seen


def by_score(done: Detections) -> dict[float, int]:
    """The track of each box that was found, by its score."""
    seen = done[done.origins == Origin.detected]
    return dict(zip(seen.scores.astype(float).round(3).tolist(), seen.track_ids.tolist(), strict=True))


def test_a_near_and_a_far_face_at_one_place_keep_their_sizes() -> None:
    """The middle of each is nearer to where the other one was."""
    up, down = [box(100, 97, 60, 0.9), box(100, 103, 30, 0.8)], [box(100, 103, 60, 0.9), box(100, 97, 30, 0.8)]
    assert sorted(map(sorted, sides([up, down] * 6).values())) == [[30], [60]]


def test_two_faces_that_go_far_in_a_frame_keep_their_sizes() -> None:
    """Nothing overlaps, and the middle of each is nearer to where the other one was."""
    before, after = [box(100, 100, 40, 0.9), box(100, 160, 20, 0.8)], [box(150, 131, 40, 0.7), box(150, 129, 20, 0.6)]
    one, other = map(by_score, tracked([0.0, 1.0], [before, after]))
    assert (other[0.7], other[0.6]) == (one[0.9], one[0.8])


def test_the_one_that_overlaps_goes_on_though_another_one_is_nearer() -> None:
    """Of two wide and low plates, one above the other, one is missed, and the other one has moved along."""
    moved, nearer = (
        (60.0, 90.0, 140.0, 100.0, 0.9, 1, Origin.detected),
        (73.0, 102.0, 153.0, 112.0, 0.8, 1, Origin.detected),
    )
    seen = (73.0, 90.0, 153.0, 100.0, 0.7, 1, Origin.detected)
    before, after = map(by_score, tracked(times_s(2), [[moved, nearer], [seen]]))
    assert after[0.7] == before[0.9] != before[0.8]


@pytest.mark.parametrize("side", [8, 52])
def test_what_is_so_much_smaller_or_larger_is_another_object(side: float) -> None:
    seen = sides([[box(100, 100, 20, 0.9)]] * 5 + [[box(100, 100, side, 0.8)]] * 5)
    assert sorted(map(sorted, seen.values())) == sorted([[20], [round(side)]])


def test_a_detection_continues_a_confirmed_track_rather_than_a_tentative_one_beside_it() -> None:
    both = [box(100, 100), box(112, 100, score=0.1, origin=Origin.low_confidence)]
    done = tracked(times_s(8), [*[both] * 7, [box(107, 100)]], TrackConfig(post_roll_s=0, pre_roll_s=0, max_gap_s=0.4))
    assert [each.track_ids.tolist() for each in done] == [[0]] * 8


def test_a_box_that_falls_short_is_as_wide_as_those_before_and_after_it() -> None:
    short = (90.0, 90.0, 103.0, 110.0, 0.9, 0, Origin.detected)
    done = tracked(times_s(15), [[short if number == 7 else box(100, 100)] for number in range(15)])
    x0, y0, x1, y1 = done[7].xyxy[0].tolist()
    assert x1 > 107 and (x0, y0, y1) == pytest.approx((90, 90, 110), abs=2)
    assert covered(done[7], short) == [True]


SIDE_PX = 40.0


def off_px(seconds: float) -> float:
    """How far an object gets in a time that sets off as fast as is thought possible."""
    return ACCELERATION * SIDE_PX / 2 * seconds**2


def test_an_object_that_turns_in_a_gap_stays_covered() -> None:
    faces = [box(300 + off_px(time - 1), 100, SIDE_PX) for time in times_s(50)]
    missing = range(16, 35)  # 0.8 s from the last observation to the next
    done = tracked(times_s(50), [[] if number in missing else [face] for number, face in enumerate(faces)])
    assert all(covered(done[number], faces[number]) == [True] for number in missing)
    middle = done[25].xyxy[done[25].origins == Origin.interpolated]
    assert len(middle) == 1 and 1.9 * SIDE_PX < float(middle[0, 2] - middle[0, 0]) < 2 * SIDE_PX


@pytest.mark.parametrize("rate", [10.0, 20.0])
@pytest.mark.parametrize("backwards", [False, True])
def test_an_object_that_sets_off_when_it_is_lost_stays_covered(rate: float, backwards: bool) -> None:
    """And one that came and stood still when it was first seen."""
    seen, unseen = round(rate), round(0.4 * rate)
    faces = [box(300 + off_px(max(0, number - seen + 1) / rate), 100, SIDE_PX) for number in range(seen + unseen)]
    found = [[face] if number < seen else [] for number, face in enumerate(faces)]
    order = slice(None, None, -1 if backwards else 1)
    done = tracked(times_s(len(faces), rate), found[order], TrackConfig(post_roll_s=0.41, pre_roll_s=0.41))
    assert all(covered(each, face) == [True] for each, face in zip(done, faces[order], strict=True))


def test_an_assignment_imports_nothing_of_scipy_but_its_solver() -> None:
    """All of scipy.optimize takes as long to import as the rest of a run."""
    script = (
        "import sys, numpy\n"
        "from blurscene_stream.track.association import assign\n"
        "assert assign(numpy.array([[4.0, 1.0], [2.0, 3.0]])) == [(0, 1), (1, 0)]\n"
        "assert 'scipy.optimize' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@examples(100)
@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 6)), seed=st.integers(0, 99))
def test_assignments_are_those_of_scipy(shape: tuple[int, int], seed: int) -> None:
    kinds = np.array([0.5, 1.0, 2.5, FORBIDDEN, 2 * FORBIDDEN], np.float64)
    costs = kinds[np.random.default_rng(seed).integers(0, len(kinds), shape)]
    pairs = zip(*linear_sum_assignment(np.minimum(costs, FORBIDDEN)), strict=True)
    assert assign(costs) == [pair for pair in pairs if costs[pair] < FORBIDDEN]


def test_a_scipy_that_keeps_its_solver_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathFinder, "find_spec", lambda *_: None)
    _linear_sum_assignment.cache_clear()
    assert assign(np.array([[4.0, 1.0], [2.0, 3.0]])) == [(0, 1), (1, 0)]
    _linear_sum_assignment.cache_clear()
