"""Few frames a second, and doubt about who is who: what was covered at other rates or alone stays covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.track import Tracker
from tests.track.clips import CLASSES, NONE_UNCERTAIN, box, covered, detections, tracked

SLOW = [1.0, 2.0, 60.0]  # seconds a frame: fixed cameras, time lapse


def ids(done: Sequence[Detections]) -> set[int]:
    return {track for each in done for track in each.track_ids.tolist()}


@pytest.mark.parametrize("frame_s", SLOW)
def test_at_few_frames_a_second_an_object_is_one_and_covered_where_it_was_missed(frame_s: float) -> None:
    """Somebody sits before a camera and moves a little; every third frame misses him."""
    places = [box(100 + 4 * (number % 3), 100 - 3 * (number % 2)) for number in range(20)]
    found = [[] if number % 3 == 2 or number in (0, 19) else [place] for number, place in enumerate(places)]
    done = tracked([frame_s * number for number in range(20)], found)
    assert ids(done) == {0}
    assert all(covered(each, place) == [True] for each, place in zip(done, places, strict=True))


@pytest.mark.parametrize("frame_s", SLOW)
def test_at_few_frames_a_second_low_confidence_boxes_continue_an_object(frame_s: float) -> None:
    low = box(100, 100, origin=Origin.low_confidence, score=0.1)
    found = [[low], [box(101, 100)], [low], [box(99, 100)], [low], [low], []]
    done = tracked([frame_s * number for number in range(7)], found)
    assert ids(done) == {0}
    assert [len(each) for each in done] == [1] * 7


def test_one_late_frame_ends_no_object() -> None:
    """A camera that sends 25 frames a second, and once none for four seconds."""
    times_s = [0.04 * number + (4 if number > 10 else 0) for number in range(20)]
    done = tracked(times_s, [[] if number in (10, 11) else [box(100, 100)] for number in range(20)])
    assert all(covered(each, box(100, 100)) == [True] for each in done)
    missed_once = tracked(times_s, [[] if number == 10 else [box(100, 100)] for number in range(20)])
    assert ids(missed_once) == {0}


def test_a_walker_at_one_frame_a_second_is_one_object() -> None:
    """A face of 20 pixels goes 100 in a second."""
    done = tracked([float(number) for number in range(8)], [[box(50 + 100 * number, 100)] for number in range(8)])
    assert ids(done) == {0}


def test_what_is_too_far_off_for_a_walker_is_another_object_however_long_it_took() -> None:
    found = [[box(100, 100)], [box(100, 100)], [], [box(340, 100)], [box(340, 100)]]
    assert ids(tracked([float(number) for number in range(5)], found)) == {0, 1}


def test_no_more_than_one_frame_is_added_at_an_end_that_lasts_long() -> None:
    done = tracked(
        [float(number) for number in range(12)], [[box(100, 100)] if number in (5, 6) else [] for number in range(12)]
    )
    assert [len(each) for each in done] == [0] * 4 + [1] * 4 + [0] * 4


@pytest.mark.parametrize("frame_s", [0.04, 1.0])
def test_limits_of_0_add_nothing(frame_s: float) -> None:
    nothing = TrackConfig(lookahead_s=0.5, max_gap_s=0, post_roll_s=0, pre_roll_s=0)
    found = [[] if number % 2 else [box(100, 100)] for number in range(10)]
    assert [len(each) for each in tracked([frame_s * n for n in range(10)], found, nothing)] == [1, 0] * 5


def test_a_frame_waits_for_the_next_one_however_late_that_is_and_for_no_other() -> None:
    tracker = Tracker(TrackConfig(), CLASSES, NONE_UNCERTAIN)
    given = [len(tracker.push(1.0 * number, detections([]))) for number in range(5)]
    assert given == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("post_roll_s", [0.3, 0.7])
@pytest.mark.parametrize(
    ("frame_s", "gap", "away"), [(0.04, 12, 40), (0.04, 12, -40), (0.04, 5, 20), (1.0, 1, 90), (1.0, 2, 100)]
)
def test_who_comes_far_off_takes_no_cover_from_who_was_there(
    frame_s: float, gap: int, away: float, post_roll_s: float
) -> None:
    """One is missed from frame 8 on, another one is first seen `gap` frames later: they may be one, and may be two."""
    here, there = box(200, 100), box(200 + away, 100)
    alone = [[here] if number < 8 else [] for number in range(40)]
    comes = [[there] if number >= 7 + gap else [] for number in range(40)]
    times_s = [frame_s * number for number in range(40)]
    config = TrackConfig(post_roll_s=post_roll_s)
    both = tracked(times_s, [one + other for one, other in zip(alone, comes, strict=True)], config)
    assert ids(both) == {0}, "taken for one"
    for found, who in ((alone, here), (comes, there)):
        for number, each in enumerate(tracked(times_s, found, config)):
            assert covered(both[number], who) >= covered(each, who), number


def test_a_low_confidence_box_far_off_is_not_held_as_if_it_were_an_object_of_its_own() -> None:
    low = box(240, 100, origin=Origin.low_confidence, score=0.1)
    found = [[box(200, 100)] if number < 8 else [low] if number == 20 else [] for number in range(40)]
    done = tracked([0.04 * number for number in range(40)], found)
    assert covered(done[20], low) == [True]
    before = [each.xyxy[each.origins == Origin.extrapolated] for each in done[13:20]]
    assert not any((boxes[:, 2] > 242).any() for boxes in before)


def test_nothing_is_added_for_what_is_found_in_every_frame() -> None:
    done = tracked([0.04 * number for number in range(20)], [[box(100 + number, 100)] for number in range(20)])
    assert [len(each) for each in done] == [1] * 20
    assert np.all([each.origins == Origin.detected for each in done])
