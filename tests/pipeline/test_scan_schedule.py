"""Scan schedule: the small scan only for frames that tracking covers from both sides, and no frame is left out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import DetectConfig, Settings, TrackConfig
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import CopiedPacket, Frame, ScanMode, SourceItem
from blurscene_stream.pipeline.scan_schedule import (
    MAX_PACKETS_WITHOUT_FRAME,
    check_scan_interval,
    with_cuts,
    with_scan_modes,
)
from blurscene_stream.pipeline.stages import detected, tracked
from blurscene_stream.streams import StreamInfo
from tests.detectors import CLASSES, SquareDetector
from tests.pipeline.runs import anonymize, fails, solid
from tests.profiles import examples
from tests.settings import changed
from tests.track.clips import settings as track_settings
from tests.track.scenes import frame_of, scene, view
from tests.videos import VideoSpec, make_video, read_video

TICK = Fraction(1, 1000)
PLAIN = frame_of(np.full((24, 32), 90, np.float32))
SCENES = [frame_of(view(scene(seed), size=(320, 180))) for seed in (1, 2)]
THING = np.array([[8, 8, 20, 20]], np.float32)

steps_ms = st.lists(st.sampled_from([1, 20, 40, 40, 100, 700]), min_size=1, max_size=40)


def settings(every: int, track: TrackConfig | None = None, **detect: float) -> Settings:
    return Settings(detect=DetectConfig(every=every, **detect), track=track or TrackConfig())  # type: ignore[arg-type]


def frames_at(times_ms: Sequence[int], pictures: Sequence[Frame] = (PLAIN,)) -> list[Frame]:
    """A frame at each time, with the pictures one after the other."""
    return [replace(pictures[number % len(pictures)], number=number, pts=time) for number, time in enumerate(times_ms)]


def stream(items: Sequence[SourceItem]) -> Generator[SourceItem]:
    yield from items


def scan_modes(items: Sequence[SourceItem], chosen: Settings) -> list[ScanMode]:
    done = list(with_scan_modes(with_cuts(stream(items)), chosen, TICK))
    assert [_name(item) for item in done] == [_name(item) for item in items]
    return [item.scan_mode for item in done if isinstance(item, Frame)]


def _name(item: SourceItem) -> tuple[str, int, int]:
    return ("frame", item.number, item.pts) if isinstance(item, Frame) else ("packet", item.stream, id(item.native))


def full_ones(found: Sequence[ScanMode]) -> list[int]:
    return [number for number, mode in enumerate(found) if mode is ScanMode.full]


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_at_a_steady_rate_every_nth_frame_gets_the_full_scan_and_the_last_one(every: int) -> None:
    found = scan_modes(frames_at(range(0, 40 * 25, 40)), settings(every))
    assert full_ones(found) == sorted({*range(0, 25, every), 24})


@given(steps_ms, st.integers(1, 8), track_settings(), st.data())
def test_a_small_scan_lies_between_two_full_ones_that_tracking_spans(
    steps: list[int], every: int, track: TrackConfig, data: st.DataObject
) -> None:
    every = min(every, track.lookahead_frames)
    times_ms = np.cumsum(steps).tolist()
    items: list[SourceItem] = []
    for frame in frames_at(times_ms):
        items += [CopiedPacket(0, object()) for _ in range(data.draw(st.integers(0, 2)))]
        items.append(frame)
    full = full_ones(scan_modes(items, settings(every, track)))
    assert full[0] == 0 and full[-1] == len(times_ms) - 1
    for one, other in pairwise(full):
        assert other - one <= every
        apart_s = float(times_ms[other] * TICK) - float(times_ms[one] * TICK)
        assert other == one + 1 or apart_s <= track.covered_gap_s


@given(steps_ms, st.integers(2, 8), track_settings(), st.data())
@examples(200)
def test_what_only_the_full_scan_sees_is_covered_in_all_frames_while_it_is_there(
    steps: list[int], every: int, track: TrackConfig, data: st.DataObject
) -> None:
    frames = frames_at(np.cumsum(steps).tolist())
    comes = data.draw(st.integers(0, len(frames) - 1))
    goes = data.draw(st.integers(comes, len(frames) - 1))
    seen = []

    def detect(some: Sequence[Frame]) -> list[Detections]:
        here = [frame.scan_mode is ScanMode.full and comes <= frame.number <= goes for frame in some]
        seen.extend(here)
        return [_thing() if each else Detections.empty(CLASSES) for each in here]

    chosen = settings(min(every, track.lookahead_frames), track)
    known = detected(with_scan_modes(stream(frames), chosen, TICK), detect, data.draw(st.integers(1, 5)))
    done = [item for item in tracked(known, track, CLASSES, TICK) if not isinstance(item, CopiedPacket)]
    assert [frame.number for frame, _ in done] == list(range(len(frames)))
    for frame, found in done[comes : goes + 1]:
        assert not any(seen) or _is_covered(found), f"frame {frame.number} of {comes}..{goes}"


def test_what_the_small_scan_finds_beside_it_uncovers_nothing_that_the_full_scan_sees() -> None:
    def detect(some: Sequence[Frame]) -> list[Detections]:
        return [_thing(0 if frame.scan_mode is ScanMode.full else 5) for frame in some]

    known = detected(with_scan_modes(stream(frames_at(range(0, 40 * 20, 40))), settings(3), TICK), detect, 1)
    for item in tracked(known, settings(3).track, CLASSES, TICK):
        assert not isinstance(item, CopiedPacket) and _is_covered(item[1]), item


def _thing(off_px: float = 0) -> Detections:
    return Detections(THING + np.float32(off_px), np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES)


def _is_covered(found: Detections) -> bool:
    inside = (found.xyxy[:, :2] <= THING[:, :2] + 0.01) & (found.xyxy[:, 2:] >= THING[:, 2:] - 0.01)
    return bool(inside.all(axis=1).any())


def test_the_first_and_the_last_frame_of_a_scene_get_the_full_scan() -> None:
    shown = [SCENES[0]] * 8 + [SCENES[1]] * 9 + [SCENES[0]] * 2
    found = scan_modes(frames_at(range(0, 40 * 19, 40), shown), settings(5))
    assert full_ones(found) == [0, 5, 7, 8, 13, 16, 17, 18]


def test_a_frame_does_not_wait_for_ever_when_only_audio_comes() -> None:
    taken = 0

    def items() -> Generator[SourceItem]:
        nonlocal taken
        yield frames_at([0])[0]
        for _ in range(2 * MAX_PACKETS_WITHOUT_FRAME):
            taken += 1
            yield CopiedPacket(0, object())

    done = with_scan_modes(items(), settings(3), TICK)
    first = next(done)
    assert isinstance(first, Frame) and first.scan_mode is ScanMode.full
    assert taken < 1.1 * MAX_PACKETS_WITHOUT_FRAME
    assert sum(1 for _ in done) == 2 * MAX_PACKETS_WITHOUT_FRAME


def test_the_answers_to_a_stream_do_not_depend_on_the_batch() -> None:
    frames = frames_at([0, 40, 80, 120, 500, 520, 540, 560, 580])
    by_batch = []
    for batch in (1, 2, 3, 4, 9):
        scan_modes: list[ScanMode] = []
        detector = SquareDetector(lambda some, modes=scan_modes: modes.extend(x.scan_mode for x in some))  # type: ignore[misc]
        assert len(list(detected(with_scan_modes(stream(frames), settings(3), TICK), detector, batch))) == len(frames)
        by_batch.append(scan_modes)
    assert by_batch == [by_batch[0]] * len(by_batch)
    assert full_ones(by_batch[0]) == [0, 3, 4, 7, 8]


@pytest.mark.parametrize("every", [2, 7])
def test_a_run_scans_every_frame_and_covers_what_only_the_full_scan_finds(
    every: int, walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scan_modes: dict[int, ScanMode] = {}
    finder = SquareDetector()

    def find_in_full_scans(frames: Sequence[Frame]) -> list[Detections]:
        scan_modes.update({frame.number: frame.scan_mode for frame in frames})
        return [
            finder([frame])[0] if frame.scan_mode is ScanMode.full else Detections.empty(CLASSES) for frame in frames
        ]

    chosen, detector, target = solid(), SquareDetector(find_in_full_scans), tmp_path / "out.mp4"
    chosen = changed(chosen, {"detect.every": every})
    assert anonymize(walker, target, chosen, detector).frames == 25
    assert detector.frame_numbers == list(range(25))
    assert full_ones(list(scan_modes.values())) == sorted({*range(0, 25, every), 24})
    after = read_video(target)
    assert after.times == read_video(walker).times
    assert max(int(luma.max()) for luma in after.luma) < 200, "the square shows through"
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert f"detect.every is {every}" in line and len(line.splitlines()) == 1


def test_by_default_every_frame_gets_the_full_scan_and_nothing_is_logged(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scan_modes: list[ScanMode] = []
    anonymize(
        walker, tmp_path / "out.mp4", detector=SquareDetector(lambda some: scan_modes.extend(x.scan_mode for x in some))
    )
    assert scan_modes == [ScanMode.full] * 25
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_gaps_that_tracking_does_not_span_are_refused_where_the_rate_is_known(walker: Path, tmp_path: Path) -> None:
    chosen = settings(8)  # 0.32 s at 25 frames/s
    message = fails(ConfigError, walker, tmp_path / "out.mp4", chosen)
    assert "detect.every must be at most 7" in message
    slow = make_video(tmp_path / "slow.mp4", VideoSpec(frames=8, rate=2))
    assert "detect.every must be 1: " in fails(ConfigError, slow, tmp_path / "out.mp4", settings(2))


def test_where_no_rate_is_known_the_times_tell() -> None:
    unknown = StreamInfo("camera", PLAIN.picture, TICK)
    check_scan_interval(settings(8), unknown)
    assert full_ones(scan_modes(frames_at(range(0, 40 * 20, 40)), settings(8))) == [0, 7, 14, 19]
    assert full_ones(scan_modes(frames_at(range(0, 1000 * 5, 1000)), settings(8))) == [0, 1, 2, 3, 4]
    check_scan_interval(settings(1), replace(unknown, frame_rate=Fraction(1)))


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (TrackConfig(enabled=False), "detect.every must be 1 where track.enabled is false, got 5"),
        (TrackConfig(lookahead_frames=4), "detect.every must not be above track.lookahead_frames, 4, got 5"),
    ],
)
def test_without_tracking_that_looks_far_enough_it_is_refused(track: TrackConfig, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(5, track)
    assert str(caught.value) == reason
