"""Boxes that were added by hand: what they hide shows its first cells only, as what was followed does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import NO_TRACK, Detections
from blurscene_stream.config.schema import Settings, TrackConfig
from blurscene_stream.sidecar.manual_tracks import MAX_BOXES, MAX_GAP_FRAMES, UNSET_TRACK, ManualTracks
from tests.detectors import CLASSES
from tests.settings import changed
from tests.sidecar.doubles import Line, edit, lines, render, write
from tests.videos import read_video

HUGE = 3.4e38


def boxes_of(*boxes: tuple[float, ...], tracks: list[int] | None = None, labels: list[int] | None = None) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(count, np.float32),
        np.array(labels or [0] * count, np.int64),
        CLASSES,
        track_ids=np.array(tracks or [UNSET_TRACK] * count, np.int64),
    )


def square(x: float, y: float = 50, side: float = 20) -> tuple[float, ...]:
    return x, y, x + side, y + side


def test_a_box_by_hand_shows_the_cells_of_its_first_frame_in_all(walker: Path, tmp_path: Path) -> None:
    """The square walks through below it; without a track each frame would show cells of its own."""
    file = tmp_path / "out.jsonl"
    write(walker, tmp_path / "out.mp4", file)

    def add(content: list[Line]) -> None:
        for line in content[1:]:
            line["boxes"] = [{"label": "face", "xyxy": [10, 10, 150, 110]}]

    edit(file, add)
    chosen = changed(Settings(), {"encode.crf": 0})
    render(walker, tmp_path / "again.mp4", file, chosen)
    inside = [luma[12:108, 12:148] for luma in read_video(tmp_path / "again.mp4").luma]
    assert len(inside) == 25 and all(np.array_equal(luma, inside[0]) for luma in inside)


def test_boxes_of_a_run_without_tracking_stay_without_tracks(walker: Path, tmp_path: Path) -> None:
    """As in the one pass, in which each frame was judged alone."""
    file, alone = tmp_path / "out.jsonl", Settings(track=TrackConfig(enabled=False))
    write(walker, tmp_path / "out.mp4", file, settings=alone)
    assert {box["track"] for line in lines(file)[1:] for box in line["boxes"]} == {None}
    render(walker, tmp_path / "again.mp4", file, alone)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "out.mp4").read_bytes()


def test_each_goes_on_with_the_box_that_it_overlaps_most() -> None:
    by_hand = ManualTracks()
    first = by_hand.tracked(boxes_of(square(0), square(100))).track_ids.tolist()
    assert by_hand.tracked(boxes_of(square(108), square(4))).track_ids.tolist() == first[::-1]
    assert by_hand.tracked(boxes_of(square(116), square(98), square(8))).track_ids.tolist()[::2] == first[::-1]
    assert len(set(first)) == 2 and max(first) < -(1 << 31), "numbers that neither a file nor an area has"


def test_a_box_elsewhere_or_of_another_class_is_another_object() -> None:
    by_hand = ManualTracks()
    [first] = by_hand.tracked(boxes_of(square(0))).track_ids.tolist()
    others = by_hand.tracked(boxes_of(square(2), square(300), labels=[1, 0])).track_ids.tolist()
    assert len({first, *others}) == 3


def test_an_object_is_remembered_over_lines_without_it_and_not_for_ever() -> None:
    for missing, same in ((MAX_GAP_FRAMES - 1, True), (MAX_GAP_FRAMES, False)):
        by_hand = ManualTracks()
        [first] = by_hand.tracked(boxes_of(square(0))).track_ids.tolist()
        for _ in range(missing):
            by_hand.tracked(Detections.empty(CLASSES))
        assert (by_hand.tracked(boxes_of(square(3))).track_ids.tolist() == [first]) is same


edges = st.floats(-50, 50, width=32) | st.sampled_from([HUGE, -HUGE, 0.0])
boxes = st.tuples(edges, edges, edges, edges)
frames = st.lists(
    st.lists(st.tuples(boxes, st.sampled_from([UNSET_TRACK, UNSET_TRACK, NO_TRACK, 0, 7])), max_size=6), max_size=8
)


@given(frames)
def test_nothing_but_the_tracks_of_unset_boxes_changes(film: list[list[tuple[tuple[float, ...], int]]]) -> None:
    by_hand = ManualTracks()
    for each in film:
        before = boxes_of(*(box for box, _ in each), tracks=[track for _, track in each])
        after = by_hand.tracked(before)
        for name in ("xyxy", "scores", "class_ids", "origins"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        untold = before.track_ids == UNSET_TRACK
        np.testing.assert_array_equal(after.track_ids[~untold], before.track_ids[~untold])
        given_ = after.track_ids[untold].tolist()
        assert len(set(given_)) == len(given_) and all(track < -(1 << 31) for track in given_)


def test_a_line_of_very_many_boxes_takes_no_memory_for_all_pairs() -> None:
    by_hand, crowd = ManualTracks(), boxes_of(*(square(30.0 * place) for place in range(20_000)))
    for _ in range(2):
        tracks = by_hand.tracked(crowd).track_ids
        assert (tracks[:MAX_BOXES] < NO_TRACK).all() and (tracks[MAX_BOXES:] == NO_TRACK).all()
