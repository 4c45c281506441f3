"""Hard examples: which pictures count as hard, which labels are left out, and that training goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from blurscene_stream.boxes import Detections
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.annotations import AnnotatedImage
from scripts.training.__main__ import main
from scripts.training.hard import Hardness, read, review
from scripts.training.training_images import read_training_images
from tests.conftest import ROOT
from tests.training.drawn import write_jsonl

THRESHOLDS = (0.025, 0.05)
FACE = (10.0, 10.0, 50.0, 60.0)
ELSEWHERE = (200.0, 200.0, 240.0, 250.0)
Box = tuple[float, float, float, float]


def image(*labels: tuple[Box, float, bool], exhaustive: Sequence[int] = (0, 1)) -> AnnotatedImage:
    """An image with faces: box, score of the label and whether it is ignored."""
    boxes, scores, ignored = [np.array([label[part] for label in labels]) for part in range(3)]
    class_ids = np.zeros(len(labels), np.int64)
    return AnnotatedImage(
        Path("a.png"), (300, 300), boxes.reshape(-1, 4), class_ids, ignored.astype(bool), scores, frozenset(exhaustive)
    )


def faces(*found: tuple[Box, float]) -> Detections:
    boxes, scores = (np.array([each[part] for each in found], np.float32) for part in range(2))
    return Detections(boxes.reshape(-1, 4), scores, np.zeros(len(found), np.int64), ("face", "license_plate"))


@pytest.mark.parametrize(
    ("labelled", "found", "expected"),
    [
        (image((FACE, 1.0, False)), faces((FACE, 0.9)), Hardness()),
        (image((FACE, 1.0, False)), faces((FACE, 0.04)), Hardness(1.4)),
        (image((FACE, 1.0, False)), faces(), Hardness(1.4)),
        (image((FACE, 0.6, False)), faces(), Hardness(1.2)),
        (image((FACE, 0.4, False)), faces(), Hardness(1.0, (0,))),
        (image((ELSEWHERE, 1.0, True), (FACE, 0.4, False)), faces(), Hardness(1.0, (1,))),
        (image((FACE, 0.4, False)), faces((FACE, 0.03)), Hardness(1.2)),
        (image((FACE, 1.0, False)), faces((FACE, 0.9), (ELSEWHERE, 0.5)), Hardness(1.2)),
        (image((FACE, 1.0, True)), faces((FACE, 0.9)), Hardness()),
        (image((FACE, 1.0, False), exhaustive=[1]), faces((ELSEWHERE, 0.5)), Hardness()),
        (image(*[((x, 0.0, x + 9.0, 9.0), 1.0, False) for x in range(0, 200, 10)]), faces(), Hardness(2.5)),
    ],
)
def test_mistakes_make_a_picture_hard(labelled: AnnotatedImage, found: Detections, expected: Hardness) -> None:
    assert review(labelled, found, THRESHOLDS) == expected


def test_small_false_alarms_may_be_faces_that_nobody_labelled() -> None:
    assert (
        review(image((FACE, 1.0, False)), faces((FACE, 0.9), ((200.0, 9.0, 210.0, 19.0), 0.5)), THRESHOLDS)
        == Hardness()
    )


def test_what_the_command_finds_is_drawn_more_often(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "packed" / "train", 6)
    out = tmp_path / "hard.jsonl"
    weights = ROOT / "weights" / "face_plate_v2.pt"
    ended = CliRunner().invoke(
        main, ["hard", str(weights), str(tmp_path / "packed"), "--out", str(out), "--set", "detect.size_px=128"]
    )
    assert ended.output.startswith(f"{out}: ") and ended.output.endswith(" of 6 pictures\n")
    folder = tmp_path / "packed" / "train"
    hard = read(out, folder)
    usual, drawn_more = read_training_images(folder, {}), read_training_images(folder, {}, hard)
    factors = [hard.get(each.file, Hardness()).weight for each in usual]
    assert [each.weight for each in drawn_more] == [
        each.weight * factor for each, factor in zip(usual, factors, strict=True)
    ]
    assert max(factors) > 1, "discs are no faces to it"


def test_labels_that_are_left_out_are_ignored(tmp_path: Path) -> None:
    (file,) = [image.file for image in read_training_images(write_jsonl(tmp_path / "drawn", 1), {})]
    (made,) = read_training_images(tmp_path / "drawn", {}, {file: Hardness(left_out=(1,))})
    assert made.boxes[:, 5].tolist() == [0, 1]


def test_pictures_with_faces_are_drawn_more_often(tmp_path: Path) -> None:
    folder = write_jsonl(tmp_path / "drawn", 2)
    (first, _) = [image.file for image in read_training_images(folder, {})]
    hard = {first: Hardness(left_out=(0,))}  # its face
    usual, drawn_more = read_training_images(folder, {}, hard), read_training_images(folder, {}, hard, faces=1.4)
    assert [more.weight / each.weight for each, more in zip(usual, drawn_more, strict=True)] == [1.0, 1.4]


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other").write_text(text)
    with pytest.raises(SourceError, match="is not a file of hard examples"):
        read(tmp_path / "other", tmp_path)
