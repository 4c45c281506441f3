"""What a run covers is what is measured, whatever becomes of scores when boxes are merged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config.load import load_settings
from blurscene_stream.config.schema import (
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Precision,
    Settings,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.evaluate import Bootstrap, ClassMapping, Estimate, EvaluationOptions, measure_images
from blurscene_stream.evaluate.precision_recall import ClassReport
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.image import ImageDetections
from blurscene_stream.pipeline.image_files import detect_images
from tests.detect.pictures import HEIGHT, WIDTH, draw_scene
from tests.detectors import CLASSES
from tests.evaluate.scripted_detector import ScriptedDetector, options
from tests.pictures import file_of

VIEWS = VariantsConfig(mirror_image=True, enlarged_regions_n=2, scales=[1.0, 0.25], reduced_min_size_px=12)
FACE = (10.0, 10.0, 40.0, 50.0)
OTHERS = [method for method in MergeMethod if method is not MergeMethod.nms]
LOWERING = [MergeMethod.wbf, MergeMethod.nmm, MergeMethod.ensemble_wbf]  # the others give scores of the network


def _settings(method: MergeMethod) -> Settings:
    """Many views of each picture, and boxes that score low take part in merging: most methods lower scores then.

    With face_plate_v1, which is less sure of what is drawn.
    """
    merge = MergeConfig(method=method, pre_merge_score_threshold=0.01)
    detect = DetectConfig(size_px=WIDTH, precision=Precision.fp32, variants=VIEWS, merge=merge)
    model = load_settings(["model=face_plate_v1"]).model
    return Settings(device="cpu", model=model, detect=detect, track=TrackConfig(enabled=False))


def _labelled_as_found(folder: Path, settings: Settings) -> Detections:
    """Write a picture, labelled with what a run with `settings` finds in it; all of that is covered."""
    (folder / "a.png").write_bytes(file_of(draw_scene(), "png"))
    reported: list[ImageDetections] = []
    detect_images([folder / "a.png"], settings, lambda _, found: reported.append(found), StopToken())
    found = reported[0].detections
    boxes = [
        {"label": CLASSES[label], "xyxy": np.clip(box, 0, (WIDTH, HEIGHT, WIDTH, HEIGHT)).tolist()}
        for label, box in zip(found.class_ids, found.xyxy, strict=True)
    ]
    (folder / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": boxes, "exhaustive": CLASSES}))
    return found


def _own(report: ClassReport) -> dict[str, Estimate]:
    sizes = {name: one for name, one in report.recall_by_size.items() if one.value is not None}
    return sizes | {
        "recall": report.recall["own"],
        "precision": report.precision["own"],
        "covered": report.fully_covered,
    }


@pytest.mark.parametrize("method", OTHERS)
def test_all_that_a_run_finds_counts_as_found_and_covered(method: MergeMethod, tmp_path: Path) -> None:
    settings = _settings(method)
    found = _labelled_as_found(tmp_path, settings)
    if method in LOWERING:
        thresholds = np.array([settings.classes[name].threshold for name in CLASSES])
        assert (found.scores < thresholds[found.class_ids]).any(), "nothing is tried"
    report = measure_images(tmp_path, EvaluationOptions(settings, ClassMapping(CLASSES), Bootstrap(20)))
    assert report.classes
    for name, one in report.classes.items():
        assert {what: each.value for what, each in _own(one).items()} == dict.fromkeys(_own(one), 1), name
        assert one.recall["own"].count == one.precision["own"].count == found.count(name)


class GroundDetector(ScriptedDetector):
    """Finds FACE everywhere, and is sure of it where there is a ground behind the picture."""

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._one([("face", 0.9 if frame.number else 0.05, FACE)]) for frame in frames]


def test_what_scores_low_without_a_ground_does_not_stand_for_what_scores_high_over_one(tmp_path: Path) -> None:
    """A run does not see the low one at all."""
    (tmp_path / "a.png").write_bytes(file_of(np.full((60, 80, 4), 90, np.uint8), "png"))
    (tmp_path / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": [{"label": "face", "xyxy": FACE}]}))
    report = measure_images(tmp_path, options(GroundDetector({}))).classes["face"]
    assert {what: each.value for what, each in _own(report).items()} == dict.fromkeys(_own(report), 1)
