"""The detector as a whole: a face and a plate are found wherever and however they are stored."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

from blurscene_stream.boxes import Boxes, Detections, Orientation, Origin, iou
from blurscene_stream.config.schema import (
    ClassConfig,
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Precision,
    Settings,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.detect import Detector, load_detector
from tests.detect.pictures import FACE, PLATE, WIDTH, Picture, frame_of, shown_to, stored_as
from tests.processes import PATIENCE_S
from tests.settings import changed

ORIENTATIONS = [Orientation(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
FACE_AND_PLATE = np.array([FACE, PLATE], np.float32)


def settings(threshold: float = 0.2, **changed: object) -> Settings:
    classes = {name: ClassConfig(threshold=threshold) for name in ("face", "license_plate")}
    given: dict[str, Any] = {"size_px": WIDTH, "variants": VariantsConfig(scales=[1.0]), **changed}
    return Settings(device="cpu", classes=classes, detect=DetectConfig(**given), track=TrackConfig(enabled=False))


def assert_same(found: Detections, boxes: Boxes, min_iou: float) -> None:
    assert found.class_ids.tolist() == [0, 1]
    assert np.diag(iou(found.xyxy, boxes)).min() > min_iou


NAMES = {"auto": "OpenVINO", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "torch"}


def test_a_face_and_a_plate_are_found(detector: Detector, scene: Picture, pytestconfig: pytest.Config) -> None:
    assert detector.class_names == ("face", "license_plate")
    assert detector.device_name.startswith(f"cpu, {NAMES[pytestconfig.getoption('--backend')]}, ")
    (found,) = detector([frame_of(scene)])
    assert found.class_names == detector.class_names
    assert_same(found, FACE_AND_PLATE, 0.65)
    assert found.xyxy.dtype == np.float32
    assert found.scores.min() > 0.5


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_stored_orientation_does_not_matter(detector: Detector, scene: Picture, orientation: Orientation) -> None:
    (found,) = detector([frame_of(stored_as(scene, orientation), orientation)])
    upright = orientation.to_stored(FACE_AND_PLATE, scene.shape[1], scene.shape[0])
    assert_same(found, upright, 0.65)


def test_a_real_picture_is_the_same_in_every_orientation(shared: Path) -> None:
    detector = load_detector(settings(size_px=640, precision=Precision.fp32))
    bgr = cv2.imread(str(shared / "data" / "plates_dashcam" / "images" / "hold_000.jpg"))
    assert bgr is not None
    picture = np.asarray(bgr[::2, ::2, ::-1], np.uint8)
    height, width = picture.shape[:2]
    (plain,) = detector([frame_of(np.ascontiguousarray(picture))])
    assert len(plain) > 0
    for orientation in ORIENTATIONS[1:]:
        (turned,) = detector([frame_of(stored_as(picture, orientation), orientation)])
        assert turned.class_ids.tolist() == plain.class_ids.tolist()
        assert np.allclose(turned.xyxy, orientation.to_stored(plain.xyxy, width, height), atol=0.1)


def test_pixels_that_are_not_square_are_shown_as_they_are_meant(detector: Detector, scene: Picture) -> None:
    narrow = np.asarray(cv2.resize(scene, (112, 144), interpolation=cv2.INTER_AREA), np.uint8)
    (found,) = detector([frame_of(narrow, pixel_aspect=Fraction(2))])
    assert_same(found, FACE_AND_PLATE * np.array([0.5, 1, 0.5, 1], np.float32), 0.6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_batch_gives_what_its_frames_give_alone(scene: Picture, precision: str, pytestconfig: pytest.Config) -> None:
    if precision == "bf16" and pytestconfig.getoption("--backend") == "onnxruntime":
        pytest.skip("ONNX Runtime has no bf16 on a CPU")
    detect = load_detector(settings(precision=Precision[precision]))
    frames = [frame_of(each) for each in (scene, np.ascontiguousarray(scene[:, ::-1]), np.zeros_like(scene), scene)]
    together = detect(frames)
    assert [len(found) for found in together] == [2, 2, 0, 2]
    for frame, found in zip(frames, together, strict=True):
        (alone,) = detect([frame])
        assert np.array_equal(alone.xyxy, found.xyxy)
        assert np.array_equal(alone.scores, found.scores)
    assert detect([]) == []


def test_thresholds_and_size_have_an_effect(scene: Picture) -> None:
    frame = frame_of(scene)
    assert len(load_detector(settings(threshold=0.99))([frame])[0]) == 0
    assert len(load_detector(settings(threshold=0.0))([frame])[0]) > 50
    assert load_detector(settings())([frame])[0].class_ids.tolist() == [0, 1]
    (tiny,) = load_detector(settings(size_px=32))([frame])
    assert iou(FACE_AND_PLATE, tiny.xyxy).max(initial=0) < 0.5, "face and plate are too small to be found"
    own = changed(settings(), {"classes.face.threshold": 0.99})
    assert load_detector(own)([frame])[0].class_ids.tolist() == [1]


@pytest.mark.parametrize("method", MergeMethod)
def test_low_confidence_boxes_come_beside_the_others_and_change_none_of_them(
    method: MergeMethod, scene: Picture
) -> None:
    alone = settings(threshold=0.2, merge=MergeConfig(method))
    followed = changed(alone, {"track": TrackConfig(low_score_ratio=0.0005)})
    (without,), (both,) = (load_detector(each)([frame_of(scene)]) for each in (alone, followed))
    confident, low = both.confident(), both[both.origins == Origin.low_confidence]
    np.testing.assert_array_equal(confident.xyxy, without.xyxy)
    np.testing.assert_array_equal(confident.scores, without.scores)
    assert len(low) > 5
    assert low.scores.max() <= np.float32(0.2) and low.scores.min() > 0.0001
    for label in (0, 1):
        overlap = iou(low.xyxy[low.class_ids == label], confident.xyxy[confident.class_ids == label])
        assert overlap.max(initial=0) < 0.5


def test_enlarging_has_an_effect_and_a_bound(scene: Picture) -> None:
    seen: list[tuple[int, int]] = []
    for max_upscale in (1.0, 2.0, 16.0):
        detect = load_detector(settings(size_px=4 * WIDTH, threshold=0.01, max_upscale=max_upscale))
        sizes = shown_to(detect)
        detect([frame_of(scene)])
        seen += sizes
    assert seen == [(256, 192), (448, 320), (896, 576)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (33, 31)])
def test_odd_picture_sizes_are_detected_in(detector: Detector, shape: tuple[int, int]) -> None:
    (found,) = detector([frame_of(np.full((*shape, 3), 90, np.uint8))])
    assert np.isfinite(found.xyxy).all()


def test_another_thread_finds_the_same_without_gradients(detector: Detector, scene: Picture) -> None:
    results: list[Detections] = []
    worker = Thread(target=lambda: results.extend(detector([frame_of(scene)])), daemon=True)
    worker.start()
    worker.join(PATIENCE_S)
    assert np.array_equal(results[0].xyxy, detector([frame_of(scene)])[0].xyxy)
