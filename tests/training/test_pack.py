"""Packing and labelling: what is written is read back by the product's own readers, and doubts stay doubts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import GroundTruth
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.image import DecodedImage
from scripts.training.label import complete, judge
from scripts.training.pack import COMPLETED, pack
from scripts.training.teachers import NOTHING, Scored
from scripts.training.training_images import read_training_images
from tests.training.drawn import write_jsonl, write_yolo

MAPPING = ClassMapping(Settings().model.classes)


def test_the_last_tenth_by_name_is_held_out(tmp_path: Path) -> None:
    first, second = write_yolo(tmp_path / "a", 20), write_jsonl(tmp_path / "b", 10)
    packed = pack([first, second], tmp_path / "packed", MAPPING)
    assert (packed.train, packed.held_out, packed.left_out) == (27, 3, [])
    held = {str(path.relative_to(tmp_path / "packed")) for path in tmp_path.glob("packed/held_out/images/*/*")}
    assert held == {f"held_out/images/{name}" for name in ("a/18.webp", "a/19.webp", "b/9.webp")}
    images = read_training_images(tmp_path / "packed" / "train", {"b": 3.0})
    assert len(images) == 27
    assert {image.weight for image in images if image.file.parent.name == "b"} == {3.0}
    assert all(image.labelled == (True, True) and len(image.boxes) == 2 for image in images)


def test_large_pictures_are_shrunk_with_their_boxes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("L", (2560, 1000)).save(tmp_path / "a" / "one.png")
    box = {"label": "face", "xyxy": [100, 100, 300, 400]}
    row = {"file": "one.png", "width": 2560, "height": 1000, "boxes": [box], "exhaustive": ["face"]}
    (tmp_path / "a" / "labels.jsonl").write_text(json.dumps(row))
    pack([tmp_path / "a"], tmp_path / "packed", MAPPING)
    (image,) = read_dataset(tmp_path / "packed" / "train", MAPPING).images
    with Image.open(image.file) as opened:
        assert opened.size == image.size == (1280, 500)
    assert image.boxes.tolist() == [[50, 50, 150, 200]] and image.exhaustive == {0}


def test_a_picture_that_cannot_be_read_is_left_out_and_reported(tmp_path: Path) -> None:
    folder = write_jsonl(tmp_path / "a", 3)
    (folder / "images" / "001.png").write_bytes(b"no picture")
    packed = pack([folder], tmp_path / "packed", MAPPING)
    assert packed.train == 2
    assert len(packed.left_out) == 1 and "001.png" in packed.left_out[0]


def nobody(_: DecodedImage) -> list[Scored]:
    return [NOTHING, NOTHING]


def test_pictures_that_are_named_are_left_out_and_no_other_is_held_out_for_them(tmp_path: Path) -> None:
    folder = write_jsonl(tmp_path / "a", 20)
    packed = pack([folder], tmp_path / "packed", MAPPING, left_out={"a": ["003.png", "018.png"], "b": ["001.png"]})
    assert (packed.train, packed.held_out) == (17, 1)
    assert [Path(message.partition(":")[0]).name for message in packed.left_out] == ["003.png", "018.png"]
    names = {path.stem for path in (tmp_path / "packed" / "train").rglob("*.webp")}
    assert names == {str(number) for number in range(18)} - {"3"}


def sees(score: float, x: float = 10) -> list[Scored]:
    return [np.array([[x, 10, x + 20, 40, score]]), NOTHING]


def test_labels_are_completed_with_doubts_and_packed_with_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (100, 80)).save(tmp_path / "a" / "one.png")
    row = {"file": "one.png", "width": 100, "height": 80, "boxes": [], "exhaustive": []}
    (tmp_path / "a" / "labels.jsonl").write_text(json.dumps(row))
    both = lambda _: [np.concatenate([sees(0.8)[0], sees(0.3, 60)[0]]), NOTHING]  # noqa: E731
    added = complete(tmp_path / "a", [(both, nobody), (nobody, nobody)], MAPPING)
    assert added == {"face": 1, "face, doubtful": 1, "license_plate": 0, "license_plate, doubtful": 0}
    assert (tmp_path / "a" / COMPLETED).is_file()
    pack([tmp_path / "a"], tmp_path / "packed", MAPPING)
    (image,) = read_training_images(tmp_path / "packed" / "train", {})
    assert image.labelled == (True, True)
    assert np.allclose(image.boxes, np.array([[0, 10, 10, 30, 40, 0], [0, 60, 10, 80, 40, 0.3]]))


EMPTY = GroundTruth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0), 0, 0)


@pytest.mark.parametrize(
    ("class_id", "first", "second", "exhaustive", "expected"),
    [
        (0, 0.25, 0.25, False, "object"),  # both see a face
        (0, 0.24, 0.3, False, "doubtful"),
        (0, 0.0, 0.45, False, "object"),  # one is sure
        (0, 0.11, 0.0, False, "nothing"),
        (1, 0.4, 0.4, False, "object"),
        (1, 0.75, 0.0, False, "object"),
        (1, 0.0, 0.9, False, "doubtful"),  # HyperLPR3 alone sees plates in words
        (1, 0.15, 0.8, False, "object"),
        (1, 0.9, 0.9, True, "doubtful"),  # a person labelled the picture, and saw none
        (1, 0.29, 0.29, True, "nothing"),
    ],
)
def test_what_two_teachers_make_an_object(
    class_id: int, first: float, second: float, exhaustive: bool, expected: str
) -> None:
    finds = [np.array([[10, 10, 30, 40, score]]) if score else NOTHING for score in (first, second)]
    made = judge(EMPTY, class_id, (finds[0], finds[1]), (100, 80), exhaustive)
    found = "nothing" if not len(made.boxes) else "doubtful" if made.ignored[0] else "object"
    assert found == expected
    assert made.scores.tolist() == ([] if expected == "nothing" else [max(first, second)])


def test_what_is_labelled_already_is_not_added() -> None:
    known = GroundTruth(
        np.array([[12, 10, 30, 40]], np.float32), np.zeros(1, np.int64), np.zeros(1, np.bool_), np.ones(1), 0, 0
    )
    assert not len(judge(known, 0, (sees(0.9)[0], NOTHING), (100, 80), False).boxes)
