"""scripts/measure_detector.py on data sets of one picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.datasets import read_dataset
from scripts.measure_detector import Tally, add, main, samples
from tests.detectors import CLASSES, RgbSquareDetector
from tests.pictures import SQUARE, file_of, samples_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one data set: a plate, and something of a class that nobody looks for."""
    made = tmp_path / "street"
    made.mkdir()
    (made / "a.png").write_bytes(file_of(samples_of(1), "png"))
    boxes = [{"label": "license_plate", "xyxy": SQUARE}, {"label": "dog", "xyxy": [0, 0, 5, 5]}]
    (made / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": boxes, "exhaustive": ["license_plate"]}))
    return tmp_path


def test_a_line_for_each_variant_and_merge_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(folder), "--size", "64", "--device", "cpu", "--variants", "none", "mirror", "--merge", "nms", "nmm"])
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("cpu") and "size 64" in head
    assert [line.split()[:4] for line in lines] == [
        ["street", "license_plate", variant, merge] for variant in ("none", "mirror") for merge in ("nms", "nmm")
    ]
    assert all("/1)" in line and "precision" in line for line in lines)


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_labels_are_zoomed_with_the_picture(zoom: float, folder: Path) -> None:
    dataset = read_dataset(folder / "street", ClassMapping(CLASSES, ["*="]))
    (sample,) = samples(dataset, zoom, every=1)
    tallies = {name: Tally() for name in CLASSES}
    add(tallies, sample, RgbSquareDetector()([sample.frame])[0])
    assert tallies == {
        "face": Tally(),
        "license_plate": Tally(objects=1, detected=1, true_positives=1, false_positives=0),
    }
    assert (sample.frame.picture.width, sample.truth.boxes[0][2]) == (80 * zoom, SQUARE[2] * zoom)


def test_an_unreadable_image_is_refused_in_one_line(folder: Path) -> None:
    (folder / "street" / "a.png").write_text("no picture")
    with pytest.raises(SystemExit, match=r"a\.png: not a picture"):
        main([str(folder), "--size", "64", "--device", "cpu"])
