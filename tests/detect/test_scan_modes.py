"""The scan modes of the real detector: every frame is shown to the network, and its answer is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import DetectConfig, Precision, Settings, VariantsConfig
from blurscene_stream.detect import load_detector
from blurscene_stream.frames import Frame, ScanMode
from tests.detect.pictures import WIDTH, Picture, frame_of, shown_to
from tests.settings import changed

VIEWS = {ScanMode.full: 2 * 2, ScanMode.full_turned: 4 * 2 * 2, ScanMode.only_turned: 3 * 2}
MIXED = [ScanMode.full, ScanMode.full_turned, ScanMode.only_turned, ScanMode.full, ScanMode.full_turned]


def settings() -> Settings:
    variants = VariantsConfig(scales=[1.0, 0.25], mirror_image=True)
    detect = DetectConfig(size_px=WIDTH, precision=Precision.fp32, variants=variants)
    return Settings(device="cpu", detect=detect)


def frames(scene: Picture) -> list[Frame]:
    """A batch in which each frame differs from the others."""
    return [
        replace(frame_of(np.roll(scene, 8 * number, axis=1), number=number), scan_mode=mode)
        for number, mode in enumerate(MIXED)
    ]


def assert_equal(one: Detections, other: Detections) -> None:
    for name in ("xyxy", "scores", "class_ids", "origins"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_no_frame_is_answered_for_without_the_network(scene: Picture) -> None:
    detector = load_detector(settings())
    sizes = shown_to(detector)
    for frame in frames(np.zeros_like(scene)):
        before = len(sizes)
        detector([frame])
        assert len(sizes) - before == VIEWS[frame.scan_mode]
    sizes.clear()
    detector(frames(scene))
    assert len(sizes) == sum(VIEWS[mode] for mode in MIXED)


def test_a_frame_gets_the_same_answer_whatever_batch_it_is_in(scene: Picture) -> None:
    detector, batch = load_detector(settings()), frames(scene)
    together = detector(batch)
    for frame, found in zip(batch, together, strict=True):
        assert_equal(detector([frame])[0], found)
    for found, again in zip(together, reversed(detector(batch[::-1])), strict=True):
        assert_equal(found, again)


def test_the_check_of_the_turned_picture_is_quick_and_finds_what_lies_on_its_side(scene: Picture) -> None:
    lying = np.ascontiguousarray(np.rot90(scene.repeat(2, axis=0).repeat(2, axis=1)))
    detector = load_detector(changed(settings(), {"detect.size_px": 2 * WIDTH}))
    sizes = shown_to(detector)
    (found,) = detector([replace(frame_of(lying), scan_mode=ScanMode.only_turned)])
    half, quarter = [(192, 256), (256, 192), (256, 192)], [(128, 128)] * 3
    assert sorted(sizes) == quarter + half, "of 288 x 448, turned by 90, 180 and 270 degrees"
    assert 0 in found.class_ids[found.scores > 0.6], "a face of 40 pixels"


@pytest.mark.parametrize("method", ["nms", "wbf", "nmm"])
def test_a_scan_with_turned_views_is_that_with_all_rotations_of_the_settings(scene: Picture, method: str) -> None:
    base = changed(settings(), {"detect.merge.method": method, "detect.variants.scales": [1.0]})
    turned = replace(frame_of(scene), scan_mode=ScanMode.full_turned)
    listed = changed(base, {"detect.variants.rotations": [90, 180, 270]})
    assert_equal(load_detector(base)([turned])[0], load_detector(listed)([frame_of(scene)])[0])
