"""Uncertain objects: covered for a shorter time before and after, and never less by more evidence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from blurscene_stream.track import UncertaintyLimits, uncertainty_limits
from tests.track.clips import Clip, Found, box, clips, settings, tracked, uncertainty, watched

HD = PictureInfo(1280, 720, PIXEL_FORMATS["yuv420p"])
LIMITS = uncertainty_limits([0.2, 0.2], HD)
LARGE, SMALL = 60.0, 40.0
TIMES_S = [0.04 * number for number in range(40)]
WHOLE = list(range(13, 28))  # 0.3 s are 7 frames on either side of the one in the middle


def frames_of(scores: dict[int, float], side: float, config: TrackConfig | None = None) -> list[int]:
    """The frames in which an object is covered that is found with these scores, at 25 frames a second."""
    found = [
        [box(400, 300, side, scores[number], Origin.detected if scores[number] > 0.2 else Origin.low_confidence)]
        if number in scores
        else []
        for number in range(40)
    ]
    return [number for number, each in enumerate(tracked(TIMES_S, found, config, LIMITS)) if len(each)]


def test_a_large_object_that_scores_little_is_covered_for_a_tenth_of_a_second_before_and_after() -> None:
    assert frames_of({20: 0.3}, LARGE) == list(range(18, 23))


def test_one_good_score_is_enough_for_the_whole_time_on_both_sides() -> None:
    assert frames_of({20: 0.55}, LARGE) == WHOLE
    assert frames_of({20: 0.3, 21: 0.55}, LARGE) == [*WHOLE, 28]
    assert frames_of({20: 0.55, 21: 0.1}, LARGE) == [*WHOLE, 28]


def test_a_small_object_is_covered_for_the_whole_time_whatever_it_scores() -> None:
    assert frames_of({20: 0.21}, SMALL) == WHOLE


def test_many_low_scores_are_no_good_one_and_the_gaps_between_them_are_filled() -> None:
    assert frames_of(dict.fromkeys(range(10, 30, 6), 0.3), LARGE) == list(range(8, 31))


def test_the_setting_limits_both_and_lengthens_neither() -> None:
    assert frames_of({20: 0.3}, LARGE, TrackConfig(uncertain_roll_s=0)) == [20]
    assert frames_of({20: 0.3}, LARGE, TrackConfig(uncertain_roll_s=0.01)) == [19, 20, 21]
    assert frames_of({20: 0.3}, LARGE, TrackConfig(uncertain_roll_s=5)) == WHOLE
    assert frames_of({20: 0.3}, LARGE, TrackConfig(uncertain_roll_s=0.3, post_roll_s=0, max_gap_s=0.5)) == WHOLE[:8]


def test_at_one_frame_a_second_the_frame_beside_it_is_covered() -> None:
    found: list[list[Found]] = [[box(400, 300, LARGE, 0.3)] if number == 5 else [] for number in range(10)]
    done = tracked([float(number) for number in range(10)], found, None, LIMITS)
    assert [len(each) for each in done] == [0] * 4 + [1] * 3 + [0] * 3


@pytest.mark.parametrize(("threshold", "sure"), [(0.0, 0.0), (0.025, 0.093), (0.2, 0.5), (0.5, 0.8), (0.95, 0.987)])
def test_a_sure_score_lies_between_the_threshold_and_1(threshold: float, sure: float) -> None:
    limits = uncertainty_limits([threshold], HD)
    assert limits.sure_scores == pytest.approx((sure,), abs=1e-3)
    assert limits.large_px == 48


def covers(more: Sequence[Detections], less: Sequence[Detections]) -> bool:
    """Whether each box of `less` is one of `more` in the same frame."""
    sets = [[set(map(tuple, each.xyxy.tolist())) for each in done] for done in (more, less)]
    return all(whole >= part for whole, part in zip(*sets, strict=True))


@given(clips(), settings(), uncertainty(), uncertainty())
def test_the_fewer_objects_are_uncertain_the_more_is_covered(
    clip: Clip, config: TrackConfig, one: UncertaintyLimits, other: UncertaintyLimits
) -> None:
    scores = zip(one.sure_scores, other.sure_scores, strict=True)
    laxer = UncertaintyLimits(tuple(map(min, scores)), max(one.large_px, other.large_px))
    assert covers(watched(clip, config, laxer), watched(clip, config, one))
    assert covers(watched(clip, config), watched(clip, config, laxer))


@given(st.dictionaries(st.integers(0, 39), st.floats(0.21, 0.9), min_size=1), settings(), uncertainty(), st.data())
def test_a_higher_score_never_covers_less(
    scores: dict[int, float], config: TrackConfig, limits: UncertaintyLimits, data: st.DataObject
) -> None:
    """Nor where only one of the boxes that an object was found in scores higher."""
    better = scores | {data.draw(st.sampled_from(sorted(scores))): 0.95}
    less, more = (
        tracked(TIMES_S, [[box(9 * n, 50, 30, each[n])] if n in each else [] for n in range(40)], config, limits)
        for each in (scores, better)
    )
    assert covers(more, less)


@given(st.sets(st.integers(0, 39), min_size=2), st.data(), st.sampled_from([0.3, 0.9]))
def test_one_more_sighting_never_covers_fewer_frames(seen: set[int], data: st.DataObject, score: float) -> None:
    missed = data.draw(st.sampled_from(sorted(seen)))
    fewer, more = (frames_of(dict.fromkeys(each, score), LARGE) for each in (seen - {missed}, seen))
    assert set(fewer) <= set(more)
