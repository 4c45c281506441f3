"""A run with the tracker: what the detector misses is covered in the output, in order, and nothing waits for ever."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings, TrackConfig
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, RedactedFrame, SourceItem
from blurscene_stream.pipeline import Callbacks
from blurscene_stream.pipeline.stages import MAX_PACKETS_WITHOUT_FRAME, tracked
from tests.detect.pictures import frame_of
from tests.detectors import BRIGHT, CLASSES, SquareDetector
from tests.pipeline.runs import anonymize, fails, solid
from tests.settings import changed
from tests.track.clips import NONE_UNCERTAIN
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 50
SPEC = VideoSpec(frames=FRAMES)
NONE = Detections.empty(CLASSES)
TICK = Fraction(1, 25)


def missing(numbers: Sequence[int]) -> SquareDetector:
    """Does not see the square in these frames; to be used with batches of one."""
    return SquareDetector(lambda frames: [NONE] if frames[0].number in numbers else None)


def shown(path: Path) -> list[int]:
    """The frames in which the square is to be seen."""
    return [number for number, luma in enumerate(read_video(path).luma) if (luma > BRIGHT).any()]


def one_by_one(**track: float) -> Settings:
    settings = changed(solid(), {"detect.batch_size": 1})
    return changed(settings, {"track": TrackConfig(**track)})  # type: ignore[arg-type]


def test_frames_that_the_detector_missed_are_covered_in_the_output(tmp_path: Path) -> None:
    """At 25 frames/s: 0.3 s before the first and after the last sighting are 7 frames, a gap may have 19."""
    source = make_video(tmp_path / "in.mkv", SPEC)
    missed = [*range(8), *range(14, 33), *range(42, 50)]
    with_tracks = anonymize(source, tmp_path / "with.mkv", one_by_one(), missing(missed))
    assert shown(tmp_path / "with.mkv") == [0, 49]
    assert with_tracks.found["license_plate"] == FRAMES - len(missed)
    assert with_tracks.added == len(missed) - 2
    without = anonymize(source, tmp_path / "without.mkv", one_by_one(enabled=False), missing(missed))
    assert shown(tmp_path / "without.mkv") == missed
    assert without.added == 0 and not without.tracks


def test_objects_are_counted_beside_their_boxes(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", SPEC)
    summary = anonymize(source, tmp_path / "out.mkv", one_by_one(), missing([20, 21]))
    assert summary.found == {"license_plate": FRAMES - 2} and summary.added == 2
    assert summary.tracks == {"license_plate": 2}  # it jumps back once


def test_a_stream_with_uneven_times_is_tracked_in_seconds(tmp_path: Path) -> None:
    ticks = [number * 20 for number in range(25)]  # of a millisecond: 0.3 s are 15 frames
    source = make_video(tmp_path / "in.mkv", VideoSpec(frames=25, audio=(), times=ticks, time_base=Fraction(1, 1000)))
    anonymize(source, tmp_path / "fast.mkv", one_by_one(), missing(range(10, 25)))
    assert shown(tmp_path / "fast.mkv") == []
    slow = make_video(tmp_path / "slow.mkv", VideoSpec(frames=25, audio=(), rate=5))
    anonymize(slow, tmp_path / "out.mkv", one_by_one(), missing(range(6, 25)))
    assert shown(tmp_path / "out.mkv") == list(range(7, 25))


def test_an_error_while_frames_wait_leaves_nothing(walker: Path, tmp_path: Path) -> None:
    def fail(frames: Sequence[Frame]) -> None:
        if frames[0].number == 12:
            raise RuntimeError("no more")

    written: list[RedactedFrame] = []
    with pytest.raises(DetectionError):
        anonymize(
            walker, tmp_path / "a.mp4", one_by_one(), SquareDetector(fail), callbacks=Callbacks(on_frame=written.append)
        )
    assert [frame.number for frame in written] == []  # 0.5 s are 13 frames: all that were judged still wait
    assert "no more" in fails(DetectionError, walker, tmp_path / "b.mp4", one_by_one(), SquareDetector(fail))


def items_of(are_frames: Sequence[bool]) -> list[SourceItem]:
    """Frames (True) and packets."""
    blank = np.zeros((4, 4, 3), np.uint8)
    return [
        replace(frame_of(blank, number=number), planes=(blank[..., 0],)) if is_frame else CopiedPacket(0, number)
        for number, is_frame in enumerate(are_frames)
    ]


def stream(
    items: Sequence[SourceItem], taken: Callable[[SourceItem], None] = lambda _: None
) -> Generator[DetectedItem]:
    for item in items:
        taken(item)
        yield (item, NONE) if isinstance(item, Frame) else item


@given(st.lists(st.booleans(), max_size=80), st.sampled_from([0.0, 0.3, 2.0]))
def test_packets_keep_their_place_between_the_frames(are_frames: list[bool], lookahead_s: float) -> None:
    items = items_of(are_frames)
    config = TrackConfig(lookahead_s=lookahead_s, pre_roll_s=0, max_gap_s=0)
    out = list(tracked(stream(items), config, CLASSES, TICK, NONE_UNCERTAIN))
    assert [each[0] if isinstance(each, tuple) else each for each in out] == items


def test_audio_that_goes_on_after_the_last_picture_does_not_wait_for_another() -> None:
    """A film of one second whose audio lasts for minutes: memory stays bounded."""
    waiting = most = 0

    def taken(_: SourceItem) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)

    items = items_of([True] * 25 + [False] * 4 * MAX_PACKETS_WITHOUT_FRAME)
    for _ in tracked(stream(items, taken), TrackConfig(), CLASSES, TICK, NONE_UNCERTAIN):
        waiting -= 1
    assert waiting == 0
    assert most <= MAX_PACKETS_WITHOUT_FRAME + 16


@pytest.mark.parametrize(
    ("rate", "track", "batches"),
    [
        (25, {}, [2, 4, 4, 4, 4, 4]),  # the first frame waits for 13 more, which end the fourth batch
        (30, {}, [4, 4, 4, 4, 4, 2]),
        (25, {"enabled": False}, [4, 4, 4, 4, 4, 2]),
    ],
)
def test_the_first_frame_leaves_with_a_full_batch(
    rate: int, track: dict[str, float], batches: list[int], tmp_path: Path
) -> None:
    source = make_video(tmp_path / "in.mkv", VideoSpec(frames=22, rate=rate))
    found = list[int]()
    detector = SquareDetector(lambda frames: found.append(len(frames)))
    anonymize(source, tmp_path / "out.mkv", changed(Settings(), {"track": TrackConfig(**track)}), detector)  # type: ignore[arg-type]
    assert found == batches


@pytest.mark.parametrize(
    ("settings", "covered"),
    [
        ({}, range(16, 23)),
        ({"classes.license_plate.threshold": 0.05}, range(11, 28)),  # far below what it scores
        ({"track.uncertain_roll_s": 1.0}, range(11, 28)),
    ],
)
def test_an_object_that_scores_little_is_covered_for_a_shorter_time(
    settings: dict[str, object], covered: range, tmp_path: Path
) -> None:
    source = make_video(tmp_path / "in.mkv", SPEC)
    unsure = SquareDetector(lambda frames: None if frames[0].number in (18, 19, 20) else [NONE], score=0.3)
    anonymize(source, tmp_path / "out.mkv", changed(one_by_one(), settings), unsure)
    assert shown(tmp_path / "out.mkv") == [number for number in range(FRAMES) if number not in covered]
