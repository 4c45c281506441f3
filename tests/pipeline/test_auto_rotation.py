"""`rotations: auto`: what lies on its side is covered from a scene's first frame on; upright videos stay as quick."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream import Anonymizer
from blurscene_stream.boxes import Boxes, Detections, Orientation
from blurscene_stream.config.schema import DetectConfig, RotationMode, Settings, VariantsConfig
from blurscene_stream.frames import Frame, ScanMode, SourceItem
from blurscene_stream.pipeline.auto_rotation import CHECK_SCORE, MIN_SCORE, with_auto_rotation
from blurscene_stream.pipeline.detection import Detector
from blurscene_stream.pipeline.stages import detected, with_cuts
from tests.detect.pictures import FACE, Picture, draw_scene
from tests.detectors import CLASSES
from tests.settings import changed
from tests.track.scenes import frame_of, scene, view

TICK = Fraction(1, 1000)
AUTO = VariantsConfig()
LINE = "something shows only when the picture is turned"
BOX = np.array([[8, 8, 20, 20]], np.float32)
PLAIN = frame_of(np.full((24, 32), 90, np.float32))
SCENES = [frame_of(view(scene(seed), size=(320, 180))) for seed in (1, 2, 3)]


class Scripted:
    """Finds a box in turned views of some frames, with a score; in the upright view of all frames, with another."""

    def __init__(self, turned: Sequence[int], score: float = 0.99, upright_score: float = 0.0) -> None:
        self._turned, self._score, self._upright_score = set(turned), score, upright_score
        self.checked: list[int] = []

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        self.checked += [frame.number for frame in frames if frame.scan_mode is ScanMode.only_turned]
        return [self._find(frame) for frame in frames]

    def _find(self, frame: Frame) -> Detections:
        turned = frame.scan_mode in (ScanMode.only_turned, ScanMode.full_turned) and frame.number in self._turned
        score = self._score if turned else self._upright_score
        if not score or (frame.scan_mode is ScanMode.only_turned and not turned):
            return Detections.empty(CLASSES)
        return Detections(BOX, np.full(1, score, np.float32), np.zeros(1, np.int64), CLASSES)


def frames_of(pictures: Sequence[Frame], every_ms: int = 40) -> list[Frame]:
    return [replace(each, number=number, pts=number * every_ms) for number, each in enumerate(pictures)]


def stream(frames: Sequence[Frame]) -> Generator[SourceItem]:
    yield from frames


def covered(frames: Sequence[Frame], detector: Scripted, batch: int = 4, variants: VariantsConfig = AUTO) -> list[int]:
    """The frames in which the box is found."""
    detect = with_auto_rotation(detector, variants, "clip", TICK)
    done = detected(with_cuts(stream(frames)), detect, batch)
    return [frame.number for frame, found in cast(list[tuple[Frame, Detections]], list(done)) if len(found)]


def test_turned_views_stay_on_from_the_check_to_the_end_of_the_scene(caplog: pytest.LogCaptureFixture) -> None:
    """Upright, lying and again upright: the scene in the middle is seen from its first frame on."""
    caplog.set_level(logging.INFO)
    frames = frames_of([SCENES[0]] * 7 + [SCENES[1]] * 6 + [SCENES[2]] * 5)
    detector = Scripted(range(7, 13))
    assert covered(frames, detector) == list(range(7, 13))
    assert detector.checked == [0, 7, 13]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"clip: frame 7 (0.3 s): {LINE}") and line.endswith("until the scene ends")


def test_a_later_check_finds_what_comes_in_the_middle_of_a_scene() -> None:
    frames = frames_of([SCENES[0]] * 70)
    detector = Scripted(range(30, 70))
    assert covered(frames, detector) == list(range(50, 70))  # one check a second; docs/guarantees.md says so
    assert detector.checked == [0, 25, 50]
    often = replace(AUTO, rotation_check_interval_s=0.0)
    assert covered(frames, Scripted(range(30, 70)), variants=often) == list(range(30, 70))


@given(
    turned=st.lists(st.integers(0, 30)),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    corrupt=st.lists(st.integers(0, 30), max_size=3),
    steps=st.lists(st.sampled_from([1, 40, 400, 1500]), min_size=1, max_size=30),
)
def test_results_depend_on_the_frames_alone_and_each_scene_begins_with_a_check(
    turned: list[int], cuts: list[int], corrupt: list[int], steps: list[int]
) -> None:
    times = np.cumsum(steps).tolist()
    frames = [
        replace(PLAIN, number=n, pts=time, cut=n in cuts and n not in corrupt, corrupt=n in corrupt)
        for n, time in enumerate(times)
    ]
    results = []
    for batch in (1, 3, len(frames)):
        detector = Scripted(turned)
        detect, rest, found = with_auto_rotation(detector, AUTO, "clip", TICK), iter(frames), list[bool]()
        while group := list(islice(rest, batch)):
            found += [len(each) > 0 for each in detect(group)]
        results.append((found, detector.checked))
    assert results == [results[0]] * 3
    found, checked = results[0]
    starts = [f for f in frames if f.number == 0 or f.cut or frames[f.number - 1].corrupt]
    for frame in starts:
        if not frame.corrupt:
            assert frame.number in checked
            assert found[frame.number] == (frame.number in turned)


@pytest.mark.parametrize(
    ("score", "upright_score", "turns"),
    [(0.99, 0.0, True), (0.99, 0.3, True), (0.99, 0.8, False), (CHECK_SCORE - 0.01, 0.0, False)],
)
def test_turned_views_are_for_what_they_show_better(score: float, upright_score: float, turns: bool) -> None:
    seen: list[ScanMode] = []

    def detect(some: Sequence[Frame]) -> list[Detections]:
        seen.extend(frame.scan_mode for frame in some)
        return Scripted([0], score, upright_score)(some)

    with_auto_rotation(detect, AUTO, "clip", TICK)([PLAIN])
    assert (ScanMode.full_turned in seen) is turns


def boxes_by_mode(**found: tuple[float, Sequence[float]]) -> Callable[[Sequence[Frame]], list[Detections]]:
    """A detector that finds one box in each scan mode that is named: score and corners."""

    def detect(some: Sequence[Frame]) -> list[Detections]:
        return [find(frame.scan_mode.name) for frame in some]

    def find(mode: str) -> Detections:
        if mode not in found:
            return Detections.empty(CLASSES)
        score, box = found[mode]
        return Detections(np.array([box], np.float32), np.full(1, score, np.float32), np.zeros(1, np.int64), CLASSES)

    return detect


@pytest.mark.parametrize(("score", "stays"), [(MIN_SCORE, True), (MIN_SCORE - 0.01, False)])
def test_a_hand_that_looks_like_a_face_only_when_small_does_not_turn_the_scene(score: float, stays: bool) -> None:
    box = (8, 8, 20, 20)
    detect = boxes_by_mode(only_turned=(0.99, box), full_turned=(score, box))
    found = with_auto_rotation(detect, AUTO, "clip", TICK)(frames_of([PLAIN] * 3))
    assert [len(each) for each in found] == [int(stays)] * 3


@pytest.mark.parametrize("box", [(11, 4, 19, 20), (1, 0, 31, 24)])
def test_a_plate_found_upright_is_not_another_one_whose_turned_box_is_tall_or_large(box: Sequence[float]) -> None:
    turned = (0.99, box)  # over a wide box of the same plate, or all around it
    detect = boxes_by_mode(full=(0.9, (4, 8, 26, 16)), only_turned=turned, full_turned=turned)
    (found,) = with_auto_rotation(detect, AUTO, "clip", TICK)([PLAIN])
    assert found.xyxy.tolist() == [[4, 8, 26, 16]]


@pytest.mark.parametrize("rotations", [RotationMode.none, (), (90, 270)])
def test_without_auto_nothing_is_checked(rotations: RotationMode | tuple[int, ...]) -> None:
    detector = Scripted([0])
    assert with_auto_rotation(detector, VariantsConfig(rotations=rotations), "clip", TICK) is detector


# The real network, on the drawn scene at twice its size: a face of 80 x 116 pixels.

REAL = changed(
    Settings(device="cpu", detect=DetectConfig(size_px=448, variants=VariantsConfig(scales=[1.0]))),
    {"redact.method": "solid", "encode.codec": "ffv1"},
)
TIMES = 2  # as large as it is drawn


@cache
def real_detector() -> Detector:
    return Anonymizer(REAL)._detector


def anonymizer(rotations: RotationMode | tuple[int, ...] = RotationMode.auto) -> Anonymizer:
    chosen = changed(REAL, {"detect.variants.rotations": rotations})
    if rotations is RotationMode.auto:
        return Anonymizer(chosen, load_detector=lambda _: real_detector())
    return Anonymizer(chosen)


@cache
def upright_scene() -> Picture:
    return np.ascontiguousarray(draw_scene().repeat(TIMES, axis=0).repeat(TIMES, axis=1))


def lying(quarters: int) -> tuple[Picture, Boxes]:
    """The scene turned by quarters against the clock, and where the face is."""
    face, (height, width) = np.array([FACE], np.float32) * TIMES, upright_scene().shape[:2]
    (box,) = Orientation().turned(90 * quarters).to_stored(face, width, height)
    return np.ascontiguousarray(np.rot90(upright_scene(), quarters)), box


def write_clip(path: Path, pictures: Sequence[Picture], rotation: int = 0) -> Path:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "10"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        if rotation:
            video.set_display_rotation(rotation)
        for each in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(each, format="rgb24")))
        container.mux(video.encode(None))
    return path


def face_shares(path: Path, boxes: Sequence[Boxes]) -> list[float]:
    """For each frame: the share of the face's box that is black."""
    with av.open(str(path)) as container:
        luma = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(luma) == len(boxes)
    shares = []
    for picture, box in zip(luma, boxes, strict=True):
        x0, y0, x1, y1 = box.round().astype(int)
        shares.append(float((picture[y0:y1, x0:x1] < 20).mean()))
    return shares


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_video_on_its_side_covers_the_face(quarters: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    picture, box = lying(quarters)
    source = write_clip(tmp_path / "in.mkv", [picture] * 2)
    anonymizer().video(source, tmp_path / "out.mkv")
    assert min(face_shares(tmp_path / "out.mkv", [box] * 2)) > 0.9
    assert sum(LINE in record.getMessage() for record in caplog.records) == 1


def test_a_wrong_rotation_tag_does_not_show_the_face(tmp_path: Path) -> None:
    picture, box = lying(0)
    source = write_clip(tmp_path / "in.mp4", [picture] * 2, rotation=180)
    anonymizer().video(source, tmp_path / "out.mkv")
    assert min(face_shares(tmp_path / "out.mkv", [box] * 2)) > 0.9
    anonymizer(RotationMode.none).video(source, tmp_path / "none.mkv")
    assert max(face_shares(tmp_path / "none.mkv", [box] * 2)) < 0.5, "found without turning: this test tests nothing"


def test_an_upright_video_is_scanned_upright(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    picture, box = lying(0)
    source = write_clip(tmp_path / "in.mkv", [picture] * 2)
    anonymizer().video(source, tmp_path / "out.mkv")
    assert min(face_shares(tmp_path / "out.mkv", [box] * 2)) > 0.9
    assert not [record for record in caplog.records if LINE in record.getMessage()]


@pytest.mark.parametrize("rotations", [RotationMode.auto, (90,)])
def test_an_image_on_its_side_is_covered(rotations: RotationMode | tuple[int, ...]) -> None:
    picture, box = lying(1)
    x0, y0, x1, y1 = box.round().astype(int)
    redacted = anonymizer(rotations).image(picture)
    assert (redacted[y0:y1, x0:x1].max(axis=2) < 20).mean() > 0.9
    plain = anonymizer(RotationMode.none).image(picture)
    assert (plain[y0:y1, x0:x1].max(axis=2) < 20).mean() < 0.5
