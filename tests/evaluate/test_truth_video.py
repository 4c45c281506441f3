"""Ground truth of a synthesized video is where its pixels are."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import ClassMapping, find_video_pairs, measure_leaks
from blurscene_stream.evaluate.datasets import read_dataset
from scripts import make_truth_video
from scripts.make_truth_video import Renderer, main, scene_of, write_clip
from scripts.truth_views import CameraPath, Shape, View, truth_line
from tests.detectors import CLASSES
from tests.evaluate.scripted_detector import ScriptedDetector, options
from tests.pictures import exif_of

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
    shown = Renderer(picture, SHAPE).render([view])[..., 0].astype(float)
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
    (picture,) = read_dataset(dataset, ClassMapping(CLASSES)).images
    for name in ("clip", "again"):
        write_clip(tmp_path / f"{name}.mp4", scene_of(picture), Settings().model.classes, SHAPE, (1, 2))
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
    report = measure_leaks([(tmp_path / "clip.mp4", tmp_path / "clip.truth.jsonl")], options(ScriptedDetector({})))
    assert report.classes["all"].frames_exposed.value == 1


def test_an_object_runs_from_small_to_large() -> None:
    rng = np.random.default_rng(4)
    movement = CameraPath(MARKER, SHAPE, rng)
    scales = [movement.at(number / 25).scale * 80 for number in range(SHAPE.frames)]
    assert min(scales) == pytest.approx(12, rel=0.05)
    assert max(scales) == pytest.approx(80 * 2.5, rel=0.05)


def test_the_bar_hides_its_share(dataset: Path) -> None:
    (picture,) = read_dataset(dataset, ClassMapping(CLASSES)).images
    view = View(1.0, 0, 0, (90, 110))
    line = truth_line(0, view, scene_of(picture), CLASSES, SHAPE)
    box = [110, 60, 170, 100]
    assert line["objects"] == [{"track": 0, "label": "license_plate", "xyxy": box, "visible": 0.75}]


def test_a_sliver_that_rounds_to_nothing_is_left_out(dataset: Path) -> None:
    """Its box would be refused as one without an area."""
    (picture,) = read_dataset(dataset, ClassMapping(CLASSES)).images
    for edge, shows in ((90.0004, False), (90.01, True)):
        view = View(1.0, SHAPE.width - edge, 0, NO_BAR)
        assert bool(truth_line(0, view, scene_of(picture), CLASSES, SHAPE)["objects"]) is shows


SMALL = ("--width", "160", "--height", "120", "--seconds", "0.2", "--rate", "10")


def _measured(folder: Path) -> list[str]:
    """Return the classes of all tracks of all clips in a folder, as `evaluate` reads them."""
    report = measure_leaks(find_video_pairs(folder, None), options(ScriptedDetector({}), maps=["*="]))
    return [track.class_name for track in report.tracks]


@pytest.mark.parametrize("turned", [1, 6])
def test_a_yolo_set_becomes_clips_too(turned: int, dataset: Path, tmp_path: Path) -> None:
    """Its boxes are shares of the sides of the picture as it is stored; what nobody looks for is left out."""
    place = tmp_path / "yolo"
    place.mkdir()
    image = Image.open(dataset / "a.png").convert("RGB")
    for folder in ("train", "val"):  # two pictures of one name
        (place / folder).mkdir()
        image.save(place / folder / "a.png", exif=exif_of(turned))
        (place / folder / "a.txt").write_text(f"4 {130 / 300} {80 / 200} {80 / 300} {40 / 200}\n1 0.5 0.5 0.1 0.1\n")
    (place / "data.yaml").write_text("names: {1: car, 4: plate}\n")
    main([str(place), str(tmp_path / "clips"), *SMALL])
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 2
    assert _measured(tmp_path / "clips") == ["license_plate"] * 2
    labelled = read_dataset(place, ClassMapping(CLASSES, ["*="])).images[0]
    scene = scene_of(labelled)
    x0, y0, x1, y1 = scene.boxes[0].round().astype(int).tolist()
    assert (scene.pixels[y0:y1, x0:x1] > 200).all()
    assert (scene.pixels > 200).all(axis=2).sum() == (y1 - y0) * (x1 - x0) == 80 * 40


def test_ignored_objects_are_not_in_the_ground_truth(dataset: Path) -> None:
    boxes = [{"label": "face", "xyxy": [0, 0, 9, 9], "ignore": True}, {"label": "license_plate", "xyxy": MARKER}]
    (dataset / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": boxes}))
    (picture,) = read_dataset(dataset, ClassMapping(CLASSES)).images
    assert scene_of(picture).class_ids.tolist() == [CLASSES.index("license_plate")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "labels.jsonl: line 1 is not a whole line of JSON"),
        ('{"file": "a.png", "boxes": []}', "no object is annotated"),
        ('{"file": "a.png", "boxes": [{"label": "face", "xyxy": [900, 9, 950, 20]}]}', "no clip was made"),
    ],
)
def test_a_data_set_without_usable_images_is_refused(text: str, message: str, dataset: Path, tmp_path: Path) -> None:
    (dataset / "labels.jsonl").write_text(text)
    with pytest.raises(SystemExit) as caught:
        main([str(dataset), str(tmp_path / "clips"), *SMALL])
    assert message in str(caught.value.code) and len(str(caught.value.code).splitlines()) == 1
    assert not list((tmp_path / "clips").iterdir())
