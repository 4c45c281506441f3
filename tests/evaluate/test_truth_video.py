"""The truth of a made video is where its pixels are."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import Names, measure_leaks
from blurscene_stream.evaluate.datasets import read_dataset
from scripts import make_truth_video
from scripts.make_truth_video import Movement, Painter, Shape, View, write_clip
from tests.detectors import CLASSES
from tests.evaluate.doubles import ToldDetector, plan

MARKER = (90, 60, 170, 100)
SHAPE = Shape(320, 240, 25, 24)
NO_BAR = (-10.0, -5.0)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """One dark picture with a white marker that is labelled as a plate."""
    picture = np.full((200, 300, 3), 20, np.uint8)
    picture[MARKER[1] : MARKER[3], MARKER[0] : MARKER[2]] = 250
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    row = {"file": "a.png", "boxes": [{"label": "license_plate", "xyxy": MARKER}]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    return tmp_path


@pytest.mark.parametrize("scale", [0.15, 0.4, 0.77, 1.0, 1.9])
def test_a_marker_lands_where_the_box_does(scale: float, dataset: Path) -> None:
    picture = np.asarray(cv2.imread(str(dataset / "a.png")), np.uint8)
    view = View(scale, 60.3 - 90 * scale, 30.8 - 60 * scale, NO_BAR)
    shown = Painter(picture, SHAPE).paint([view])[..., 0].astype(float)
    x0, y0, x1, y1 = view.boxes(np.array([MARKER], float))[0].tolist()
    bright = np.clip((shown - 20) / 230, 0, 1)
    rows, columns = np.flatnonzero((bright > 0.5).any(axis=1)), np.flatnonzero((bright > 0.5).any(axis=0))
    found = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    assert np.abs(np.array(found) - (x0, y0, x1, y1)).max() <= 1


def _shown(clip: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(clip)) as container:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]


def test_the_video_and_its_truth_belong_together(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_truth_video, "EXPOSURES", 1)  # no motion blur: edges can be told to the pixel
    (picture,) = read_dataset(dataset, Names(CLASSES)).pictures
    for name in ("clip", "again"):
        write_clip(tmp_path / f"{name}.mp4", picture, Settings().model.classes, SHAPE, (1, 2))
    # x264 writes other bytes for the same pixels now and then, on one thread too.
    frames, again = (_shown(tmp_path / f"{name}.mp4") for name in ("clip", "again"))
    assert max(np.abs(one.astype(int) - other).mean() for one, other in zip(frames, again, strict=True)) < 0.5
    lines, lines_again = ((tmp_path / f"{name}.truth.jsonl").read_text() for name in ("clip", "again"))
    assert lines == lines_again
    truth = [json.loads(line) for line in lines.splitlines()]
    assert len(frames) == len(truth) == SHAPE.frames
    compared = 0
    for frame, line in zip(frames, truth, strict=True):
        for one in line["objects"]:
            if one["visible"] > 0.3 and one["xyxy"][2] - one["xyxy"][0] > 20:
                bright = frame > 140
                rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
                found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
                assert np.abs(found - one["xyxy"]).max() <= 1.5  # a pixel, and what the encoder does to an edge
                compared += 1
    assert compared >= 5
    report = measure_leaks([(tmp_path / "clip.mp4", tmp_path / "clip.truth.jsonl")], plan(ToldDetector({})))
    assert report.classes["all"].frames_exposed.value == 1


def test_an_object_runs_from_small_to_large() -> None:
    chance = np.random.default_rng(4)
    movement = Movement(MARKER, SHAPE, chance)
    scales = [movement.at(number / 25).scale * 80 for number in range(SHAPE.frames)]
    assert min(scales) == pytest.approx(12, rel=0.05)
    assert max(scales) == pytest.approx(80 * 2.5, rel=0.05)


def test_the_bar_hides_its_share(dataset: Path) -> None:
    (picture,) = read_dataset(dataset, Names(CLASSES)).pictures
    view = View(1.0, 0, 0, (90, 110))
    line = make_truth_video.truth_line(0, view, picture, CLASSES, SHAPE)
    box = [110, 60, 170, 100]
    assert line["objects"] == [{"track": 0, "label": "license_plate", "xyxy": box, "visible": 0.75}]
