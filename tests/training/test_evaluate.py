"""The figures of an evaluation, by set and size, on results that are written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from blurscene_stream.evaluate.annotations import AnnotatedImage, Dataset
from blurscene_stream.evaluate.image_results import ClassResults, Predictions
from scripts.training.evaluate import average_recall, by_folder, numbers, settings_for, table


def results() -> ClassResults:
    """Two objects of 20 px, one found, and one of 300 px, found; three boxes, one of 20 px is wrong."""
    made = ClassResults([True], [0, 0, 0], [20, 20, 300], [0.9, 0, 0.8], [True, False, True], [1, 0, 1])
    made.run = Predictions([0, 0, 0], [0.9, 0.8, 0.3], [True, True, False], [20, 300, 20])
    # A fourth box, whose score is below the threshold of the run, matches the object that is missed.
    made.predictions[0.5] = Predictions(
        [0, 0, 0, 0], [0.9, 0.8, 0.3, 0.1], [True, True, False, True], [20, 300, 20, 20]
    )
    return made


def test_recall_and_precision_by_size() -> None:
    objects, _, recall_at_any_score, recall, precision, *by_size = numbers(results())
    assert (objects, recall, precision) == ("3", "0.667", "0.667")
    assert recall_at_any_score == "1.000"
    assert by_size == ["- / - n=0", "0.500 / 0.500 n=2", "- / - n=0", "- / - n=0", "- / - n=0", "1.000 / 1.000 n=1"]


def test_without_exhaustive_labels_there_is_no_average_recall() -> None:
    assert average_recall(replace(results(), exhaustive=[False])) is None


def test_the_table_has_a_line_for_each_set_and_class() -> None:
    head, _, first, second = table([("a", "face", results()), ("b", "license_plate", results())]).splitlines()
    assert head.startswith("| set | class         | objects | AP50")
    assert first.startswith("| a   | face          | 3 ")
    assert second.startswith("| b   | license_plate | 3 ")


def image(file: str) -> AnnotatedImage:
    return AnnotatedImage(
        Path(file), None, np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0), frozenset()
    )


def test_a_packed_data_set_is_split_into_its_sets() -> None:
    packed = Dataset(
        "held_out", "jsonl", (image("images/b/1.webp"), image("images/a/1.webp"), image("images/b/2.webp"))
    )
    assert [(Path(part.name).name, len(part.images)) for part in by_folder(packed)] == [("a", 1), ("b", 2)]
    alone = Dataset("held_out", "jsonl", (image("images/a/1.webp"),))
    assert by_folder(alone) == [alone]


def test_weights_are_measured_with_the_settings_of_the_product() -> None:
    settings = settings_for(Path("mine.pt"), 0.05, ["detect.size_px=640"])
    assert (settings.model.name, settings.model.weights, settings.model.sha256) == ("face_plate_v2", "mine.pt", None)
    assert settings.detect.size_px == 640
    assert {one.threshold for one in settings.classes.values()} == {0.05}
