"""The tracker: it only adds, it adds what was missed, and it makes nothing late, lost or out of order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Boxes, Detections, Origin, iou
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.track import Tracker, UncertaintyLimits
from blurscene_stream.track.motion import to_boxes, to_states
from blurscene_stream.track.tracks import GAP_FRAMES
from tests.profiles import examples
from tests.track.clips import (
    CLASSES,
    NONE_UNCERTAIN,
    Clip,
    box,
    clips,
    detections,
    settings,
    tracked,
    uncertainty,
    watched,
    within,
)

MANY = examples(500)


def covers(after: Detections, before: Detections) -> bool:
    """Whether every box of `before` lies in a box of `after` of its class, score and origin."""
    return all(
        within(np.broadcast_to(box, (len(after), 4)), after.xyxy)[
            (after.class_ids == label) & (after.scores == score) & (after.origins == origin)
        ].any()
        for box, label, score, origin in zip(before.xyxy, before.class_ids, before.scores, before.origins, strict=True)
    )


@MANY
@given(clips(), settings(), uncertainty())
def test_frames_come_out_in_order_one_for_one_and_all_that_was_found_in_them_is_covered(
    clip: Clip, config: TrackConfig, limits: UncertaintyLimits
) -> None:
    done = watched(clip, config, limits)
    assert len(done) == len(clip.found)
    for after, before in zip(done, map(detections, clip.found), strict=True):
        assert covers(after, before.confident())
        given = after[after.origins <= Origin.low_confidence]
        assert len(before.confident()) <= len(given) <= len(before)


@MANY
@given(clips(), settings(), uncertainty())
def test_between_two_sightings_of_an_object_every_frame_is_covered_where_it_went(
    clip: Clip, config: TrackConfig, limits: UncertaintyLimits
) -> None:
    """As far as what was found of it tells: on the straight way."""
    done = watched(clip, config, limits)
    for track, seen in observations(clip, done).items():
        for first, last in pairwise(seen):
            apart_s = clip.times_s[last] - clip.times_s[first]
            assert apart_s <= config.max_gap_s or last - first <= GAP_FRAMES
            for number in range(first + 1, last) if last - first <= config.lookahead_frames else ():
                there = done[number].xyxy[done[number].track_ids == track]
                assert len(there), number
                if (
                    config.lookahead_s >= clip.times_s[last] - clip.times_s[number]
                ):  # else the end was not known in time
                    way = on_the_way(clip, seen[first], seen[last], (first, number, last))
                    assert within(np.broadcast_to(way, there.shape), there + NEARLY).any(), number


NEARLY = np.array([-0.01, -0.01, 0.01, 0.01], np.float32)


def observations(clip: Clip, done: list[Detections]) -> dict[int, dict[int, Boxes]]:
    """For each track, in which frames it was found, and what was found there; tracks are told by their scores."""
    found: dict[int, dict[int, Boxes]] = {}
    for number, (each, before) in enumerate(zip(done, map(detections, clip.found), strict=True)):
        for place in np.flatnonzero(each.origins <= Origin.low_confidence).tolist():
            same = (before.scores == each.scores[place]) & (before.class_ids == each.class_ids[place])
            [raw] = before.xyxy[same & within(before.xyxy, np.broadcast_to(each.xyxy[place], before.xyxy.shape))]
            found.setdefault(int(each.track_ids[place]), {})[number] = raw[None]
    return found


def on_the_way(clip: Clip, first: Boxes, last: Boxes, numbers: tuple[int, int, int]) -> Boxes:
    """The box between two, (1, 4), in the frame in the middle."""
    start, middle, end = numbers
    share = (clip.times_s[middle] - clip.times_s[start]) / (clip.times_s[end] - clip.times_s[start])
    return to_boxes(to_states(first) * (1 - share) + to_states(last) * share)


@MANY
@given(clips(), settings())
def test_no_frame_waits_for_longer_than_the_lookahead(clip: Clip, config: TrackConfig) -> None:
    tracker, waiting = Tracker(config, CLASSES, NONE_UNCERTAIN), list[float]()
    for time_s, found, cut in zip(clip.times_s, clip.found, clip.cuts, strict=True):
        waiting.append(time_s)
        del waiting[: len(tracker.push(time_s, detections(found), cut))]
        assert all(time_s - since_s < config.lookahead_s for since_s in waiting)
        assert len(waiting) <= config.lookahead_frames
    assert len(tracker.finish()) == len(waiting)
    assert tracker.finish() == []


@MANY
@given(clips(), st.randoms(use_true_random=False))
def test_the_order_of_detections_within_a_frame_changes_nothing(clip: Clip, random: st.DataObject) -> None:
    shuffled = [random.sample(each, len(each)) for each in clip.found]  # type: ignore[attr-defined]
    for one, other in zip(watched(clip), watched(replace(clip, found=shuffled)), strict=True):
        for name in ("xyxy", "scores", "class_ids", "origins", "track_ids"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(clips(), settings())
def test_a_low_confidence_box_counts_only_with_a_confident_one_of_its_object(clip: Clip, config: TrackConfig) -> None:
    done = watched(clip, config)
    sure = {track for each in done for track in each.track_ids[each.origins == Origin.detected].tolist()}
    assert {track for each in done for track in each.track_ids.tolist()} == sure


def test_memory_is_bounded_however_long_the_stream_is() -> None:
    chance = np.random.default_rng(1)
    tracker, sizes = Tracker(TrackConfig(), CLASSES, NONE_UNCERTAIN), []
    for number in range(1000):
        places = chance.uniform(0, 900, (3, 2)).tolist()
        found = [box(x, y, origin=Origin(int(chance.integers(2)))) for x, y in places]
        found += [box(number % 500, 100)]  # an object that is there for ever
        tracker.push(number * 0.04, detections(found))
        sizes.append((len(tracker._tracks), sum(len(track.numbers) for track in tracker._tracks)))
    early, late = np.max(sizes[:300], axis=0), np.max(sizes[-300:], axis=0)
    assert (late <= 1.5 * early).all()


def test_an_object_that_is_missed_is_covered_where_it_went() -> None:
    times_s = [0.04 * number for number in range(40)]
    places = [(50 + 6 * number, 100 + 2 * number) for number in range(40)]
    seen = [number for number in range(8, 33) if number not in range(15, 28)]
    done = tracked(times_s, [[box(*places[number])] if number in seen else [] for number in range(40)])
    truth = np.array([box(*place)[:4] for place in places], np.float32)
    covered = {number: each.xyxy[0] for number, each in enumerate(done) if len(each)}
    # 0.3 s are 7 frames before and behind
    assert list(covered) == list(range(1, 40))
    for number, made in covered.items():
        x0, y0, x1, y1 = truth[number]
        near = np.array([x0 + 3, y0 + 3, x1 - 3, y1 - 3], np.float32)  # the margin of a box of 20 px is 6
        assert within(near[None], made[None]).all(), number
        assert iou(made[None], truth[number : number + 1])[0, 0] > 0.1, number
    assert {Origin(origin) for each in done for origin in each.origins.tolist()} == set(Origin) - {
        Origin.low_confidence
    }
    assert {track for each in done for track in each.track_ids.tolist()} == {0}


def test_what_is_added_grows_with_the_time_since_the_object_was_seen() -> None:
    times_s = [0.04 * number for number in range(20)]
    done = tracked(times_s, [[box(100, 100)] if 8 <= number < 12 else [] for number in range(20)])
    widths = [float(each.xyxy[0, 2] - each.xyxy[0, 0]) if len(each) else 0 for each in done]
    before, behind = widths[1:9], widths[11:19]
    assert before == sorted(before, reverse=True) and len(set(before)) == len(before)
    assert behind == sorted(behind) and len(set(behind)) == len(behind)


def test_a_box_that_jumps_in_size_is_not_followed_to_the_whole_picture() -> None:
    """A face of 60 px, then its head with 150: a straight line through both would grow 14 times in 0.3 s."""
    times_s = [0.04 * number for number in range(24)]
    sizes = {8: 60, 9: 60, 10: 100, 11: 150}
    done = tracked(times_s, [[box(500, 500, sizes[number])] if number in sizes else [] for number in range(24)])
    widths = [float((each.xyxy[:, 2] - each.xyxy[:, 0]).max(initial=0)) for each in done]
    assert 150 <= widths[12] <= max(widths) < 150 * 2 * 2  # twice the size, and half a size of doubt beyond each edge
    assert widths[12:19] == sorted(widths[12:19])


def test_a_low_confidence_box_continues_an_object_in_both_directions_and_is_nothing_alone() -> None:
    times_s = [0.04 * number for number in range(30)]
    config = TrackConfig(post_roll_s=0, pre_roll_s=0, max_gap_s=0.2)
    moving = [box(100 + number, 100, origin=Origin.low_confidence, score=0.15) for number in range(30)]
    moving[15] = box(115, 100)
    alone = [box(300, 300, origin=Origin.low_confidence, score=0.15)] * 30
    done = tracked(times_s, [list(each) for each in zip(moving, alone, strict=True)], config)
    # A frame waits for 0.5 s: the doubt of the first two is over too late.
    assert [len(each) for each in done] == [0] * 2 + [1] * 28
    assert done[2].xyxy[0, 0] == moving[2][0]


def test_two_objects_that_pass_each_other_keep_their_ways() -> None:
    times_s = [0.04 * number for number in range(30)]
    there, back = [(20 + 8 * n, 100 + 2 * n) for n in range(30)], [(280 - 8 * n, 110) for n in range(30)]
    found = [[box(*there[n]), box(*back[n])] if n not in (14, 15, 16) else [] for n in range(30)]
    done = tracked(times_s, found)
    ways: dict[int, list[float]] = {}
    for each in done:
        for track, made in zip(each.track_ids.tolist(), each.xyxy, strict=True):
            ways.setdefault(track, []).append(float(made[0] + made[2]) / 2)
    assert len(ways) == 2
    assert all(len(way) == 30 and abs(abs(way[-1] - way[0]) - 8 * 29) < 3 for way in ways.values())


def test_a_face_does_not_continue_a_plate() -> None:
    face, plate = box(100, 100), (*box(100, 100)[:5], 1, Origin.detected)
    done = tracked([0.0, 0.04], [[face], [plate]])
    assert [sorted(each.class_ids.tolist()) for each in done] == [[0, 1], [0, 1]]
    assert len({track for each in done for track in each.track_ids.tolist()}) == 2


def test_a_cut_ends_every_object() -> None:
    tracker, done = Tracker(TrackConfig(), CLASSES, NONE_UNCERTAIN), list[Detections]()
    for number in range(20):
        found = [box(100, 100)] if number < 10 else [box(300, 200)] if number > 12 else []
        done += tracker.push(0.04 * number, detections(found), cut=number == 10)
    done += tracker.finish()
    sides = [{"left" if x0 < 200 else "right" for x0 in each.xyxy[:, 0].tolist()} for each in done]
    assert sides == [{"left"}] * 10 + [{"right"}] * 10


def test_a_detector_that_changes_its_classes_is_refused() -> None:
    with pytest.raises(DetectionError, match=r"frame 0: the detections have classes \('cat',\), expected"):
        Tracker(TrackConfig(), CLASSES, NONE_UNCERTAIN).push(0.0, Detections.empty(("cat",)))


def test_settings_that_promise_what_cannot_be_kept_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"track.pre_roll_s must not be above track.lookahead_s, 0.1, got 0.2"):
        TrackConfig(lookahead_s=0.1, pre_roll_s=0.2, max_gap_s=0.1)
    with pytest.raises(ConfigError, match=r"track.max_gap_s must not be above .* 0.8, got 0.9"):
        TrackConfig(max_gap_s=0.9)
