"""Exposure over time on videos with ground truth, and malformed ground truth."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from blurscene_stream.config.schema import AreasConfig, TrackConfig
from blurscene_stream.errors import BlurSceneError, SourceError
from blurscene_stream.evaluate import find_video_pairs, format_leak_report, measure_leaks
from blurscene_stream.evaluate.exposure import frame_ends_s, longest_exposure_ms
from tests.evaluate.scripted_detector import Answer, ScriptedDetector, options
from tests.videos import VideoSpec, make_video

FACE, PLATE = (10, 10, 40, 50), (80, 60, 120, 80)
FRAMES = 20
MISSED = range(5, 10)


def clip_with_truth(folder: Path, spec: VideoSpec, times_s: list[float]) -> tuple[Path, Path]:
    """A video and its truth: a face and a plate that stand still; the face is hidden in frame 15."""
    folder.mkdir(exist_ok=True)
    clip = make_video(folder / "clip.mkv", spec)
    lines = []
    for number, time_s in enumerate(times_s):
        face = {"track": 1, "label": "face", "xyxy": FACE, "visible": 0.2 if number == 15 else 1.0}
        plate = {"track": "b", "label": "number plate", "xyxy": PLATE, "visible": 1}
        lines.append(json.dumps({"frame": number, "pts_s": time_s, "objects": [face, plate]}))
    truth = folder / "clip.truth.jsonl"
    truth.write_text("\n".join(lines))
    return clip, truth


def _detector() -> ScriptedDetector:
    """Misses the face in frames 5 to 9 and 15, sees all but a tenth of it in frame 12, and the plate always."""
    answers: dict[int, list[Answer]] = {}
    for number in range(FRAMES):
        answers[number] = [("license_plate", 0.9, PLATE)]
        if number not in (*MISSED, 15):
            answers[number].append(("face", 0.9, (10, 10, 40, 46) if number == 12 else FACE))
    return ScriptedDetector(answers)


def test_exposures_at_a_steady_rate(tmp_path: Path) -> None:
    spec = VideoSpec(frames=FRAMES, audio=())
    pair = clip_with_truth(tmp_path, spec, [number / 25 for number in range(FRAMES)])
    report = measure_leaks([pair], options(_detector()))
    face, plate = report.tracks
    assert (face.class_name, face.frames, face.exposed_frames) == ("face", FRAMES - 1, len(MISSED) + 1)
    assert face.longest_ms == pytest.approx(len(MISSED) * 40, abs=1)
    assert (plate.class_name, plate.track_id, plate.exposed_frames, plate.longest_ms) == ("license_plate", "b", 0, 0)
    assert report.classes["all"].tracks_exposed.value == 0.5
    assert report.classes["face"].frames_exposed.value == pytest.approx(6 / 19)
    assert report.classes["face"].worst_ms == face.longest_ms
    assert report.frames == FRAMES and report.seconds == pytest.approx(0.8, abs=0.01)
    assert report.labelled_area == pytest.approx((30 * 40 + 40 * 20) / (160 * 120))
    assert "clip.mkv" in format_leak_report(report)


def test_what_the_tracker_covers_is_not_exposed(tmp_path: Path) -> None:
    pair = clip_with_truth(tmp_path, VideoSpec(frames=FRAMES, audio=()), [number / 25 for number in range(FRAMES)])
    alone = options(_detector())
    followed = replace(alone, settings=replace(alone.settings, track=TrackConfig()))
    assert [track.exposed_frames for track in measure_leaks([pair], followed).tracks] == [0, 0]


def test_areas_count_as_the_anonymizer_covers_them(tmp_path: Path) -> None:
    pair = clip_with_truth(tmp_path, VideoSpec(frames=FRAMES, audio=()), [number / 25 for number in range(FRAMES)])
    plain = options(_detector())
    exposed = {}
    for kind in ("always", "exclude"):
        areas = AreasConfig(**{kind: ["0,0 60,60"]})  # around the face
        report = measure_leaks([pair], replace(plain, settings=replace(plain.settings, areas=areas)))
        exposed[kind] = [track.exposed_frames for track in report.tracks]
    assert exposed == {"always": [0, 0], "exclude": [FRAMES - 1, 0]}


def test_objects_below_the_minimum_size_do_not_count(tmp_path: Path) -> None:
    pair = clip_with_truth(tmp_path, VideoSpec(frames=FRAMES, audio=()), [number / 25 for number in range(FRAMES)])
    counted = {}
    for min_size_px in (40, 40.5):  # both are 40 px long
        tracks = measure_leaks([pair], replace(options(_detector()), min_size_px=min_size_px)).tracks
        counted[min_size_px] = {track.class_name for track in tracks}
    assert counted == {40: {"face", "license_plate"}, 40.5: set()}


def test_without_counted_objects_nothing_is_stated(tmp_path: Path) -> None:
    """0 ms would read as if nothing had leaked."""
    pair = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    report = measure_leaks([pair], replace(options(_detector()), min_size_px=1000))
    (row,) = [line for line in format_leak_report(report).splitlines() if line.startswith("| all")]
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["not stated"] * 4


def test_exposures_count_in_real_time(tmp_path: Path) -> None:
    ticks = [number * 10 + (300 if number > 7 else 0) for number in range(FRAMES)]  # a long frame in the gap
    spec = VideoSpec(frames=FRAMES, audio=(), times=ticks, time_base=Fraction(1, 1000))
    pair = clip_with_truth(tmp_path, spec, [tick / 1000 for tick in ticks])
    (face, _) = measure_leaks([pair], options(_detector())).tracks
    assert face.longest_ms == pytest.approx(ticks[10] - ticks[5], abs=1)


def test_a_frame_in_which_an_object_is_hidden_ends_its_exposure() -> None:
    times_s = [0.0, 0.1, 0.2, 0.5, 0.6]
    ends_s = frame_ends_s(times_s, 1.0)
    assert ends_s == pytest.approx([0.1, 0.2, 0.5, 0.6, 0.7])
    assert longest_exposure_ms([0, 2, 3], times_s, ends_s) == pytest.approx(400)
    assert longest_exposure_ms([], times_s, ends_s) == 0
    assert frame_ends_s([2.0], 0.04) == pytest.approx([2.04])


def test_a_folder_holds_pairs(tmp_path: Path) -> None:
    clip, truth = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    assert find_video_pairs(tmp_path, None) == [(clip, truth)]
    truth.unlink()
    with pytest.raises(BlurSceneError, match="its ground truth is missing"):
        find_video_pairs(tmp_path, None)


REFUSED = [  # times in the truth, the message
    ([0, 0.04, 0.08], "has 2 frames, its ground truth 3"),
    ([0], "has more frames than its ground truth"),
    ([0, 0.5], r"frame 1 is at 0\.040 s, in its ground truth at 0\.500 s"),
]


@pytest.mark.parametrize(("times_s", "message"), REFUSED)
def test_the_ground_truth_of_another_clip_is_refused(times_s: list[float], message: str, tmp_path: Path) -> None:
    pair = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), times_s)
    with pytest.raises(SourceError, match=message):
        measure_leaks([pair], options(_detector()))


@pytest.mark.parametrize("text", ["", "{", '{"frame": 3}', '{"frame": 0, "pts_s": 0, "objects": [{}]}'])
def test_malformed_ground_truth_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    clip, truth = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    truth.write_text(text)
    with pytest.raises(SourceError) as caught:
        measure_leaks([(clip, truth)], options(_detector()))
    assert str(truth) in str(caught.value) and len(str(caught.value).splitlines()) == 1


def _object(**changes: object) -> dict[str, object]:
    return {"track": 1, "label": "face", "xyxy": FACE, "visible": 1} | changes


WRONG: list[tuple[list[dict[str, object]], str]] = [  # objects of the second frame, the message
    ([_object(xyxy=[50, 50, 40, 60])], r"'xyxy' must be x0, y0, x1, y1 with x1 above x0"),
    ([_object(xyxy=[50, 50, 60, 50])], r"y1 above y0, got \[50, 50, 60, 50\]"),
    ([_object(xyxy=[50, 50, 50 + 1e-9, 60])], "x1 above x0"),
    ([_object(xyxy=[200, 10, 240, 40])], r"\[200.*\] lies outside the picture, which has 160x120 pixels"),
    ([_object(xyxy=[-40, -40, -1, -1])], "lies outside the picture"),
    ([_object(xyxy=[160, 0, 170, 10])], "lies outside the picture"),
    ([_object(xyxy=[1, 2, 3, 10**400])], "a box must be four numbers"),
    ([_object(visible=80)], "'visible' must be a number from 0 to 1, got 80"),
    ([_object(visible=-0.1)], "'visible' must be a number from 0 to 1"),
    ([_object(visible=float("nan"))], "holds NaN, which is no number"),
    ([_object(visible=10**400)], "'visible' must be a number"),
    ([_object(visible=True)], "'visible' is missing"),
    ([_object(), _object(track="1", xyxy=PLATE)], "track 1 is twice in this frame"),
    ([_object(label="plate")], "track 1 is 'license_plate', in an earlier line 'face'"),
]


@pytest.mark.parametrize(("objects", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_contradiction_in_the_ground_truth_is_refused_with_its_line(
    objects: list[dict[str, object]], message: str, tmp_path: Path
) -> None:
    """It would be measured as an object that is never exposed, or as one that counts several times."""
    clip, truth = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    rows = [{"frame": 0, "pts_s": 0, "objects": [_object()]}, {"frame": 1, "pts_s": 0.04, "objects": objects}]
    truth.write_text("\n\n".join(map(json.dumps, rows)))  # lines count as an editor shows them
    with pytest.raises(SourceError, match=f"line 3:? .*{message}") as caught:
        measure_leaks([(clip, truth)], options(_detector()))
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 400


def test_an_object_that_has_left_the_picture_does_not_count(tmp_path: Path) -> None:
    clip, truth = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    gone = _object(xyxy=[200, 10, 240, 40], visible=0)
    rows = [{"frame": 0, "pts_s": 0, "objects": [_object()]}, {"frame": 1, "pts_s": 0.04, "objects": [gone]}]
    truth.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8-sig")
    (track,) = measure_leaks([(clip, truth)], replace(options(ScriptedDetector({})), min_visible=0)).tracks
    assert (track.frames, track.exposed_frames) == (1, 1)


def test_relative_boxes_in_the_ground_truth_are_refused(tmp_path: Path) -> None:
    clip, truth = clip_with_truth(tmp_path, VideoSpec(frames=2, audio=()), [0, 0.04])
    rows = [
        {"frame": number, "pts_s": number / 25, "objects": [_object(xyxy=[0.1, 0.2, 0.9, 1])]} for number in range(2)
    ]
    truth.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(SourceError, match=r"clip\.truth\.jsonl: all boxes lie in the first pixel"):
        measure_leaks([(clip, truth)], options(_detector()))
