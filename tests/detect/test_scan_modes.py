"""The small scan of the real detector: less is calculated, but every frame is shown to the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config.load import load_settings
from blurscene_stream.config.schema import DetectConfig, Precision, Settings, TrackConfig, VariantsConfig
from blurscene_stream.detect import load_detector
from blurscene_stream.errors import ConfigError
from blurscene_stream.evaluate.image_results import load_detectors
from blurscene_stream.frames import Frame, ScanMode
from tests.detect.pictures import HEIGHT, WIDTH, Picture, frame_of, shown_to
from tests.settings import changed

MIXED = [ScanMode.full, ScanMode.small, ScanMode.small, ScanMode.full, ScanMode.small]
FULL = VariantsConfig(scales=[1.0, 0.25], mirror_image=True)


def settings(every: int = 3, variants: VariantsConfig = FULL) -> Settings:
    detect = DetectConfig(size_px=WIDTH, precision=Precision.fp32, every=every, variants=variants)
    return Settings(device="cpu", detect=detect)


def alone(scale: float) -> Settings:
    return settings(every=1, variants=VariantsConfig(scales=[scale]))


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
        assert len(sizes) - before == (4 if frame.scan_mode is ScanMode.full else 1)
    sizes.clear()
    detector(frames(scene))
    assert len(sizes) == 2 * 4 + 3 * 1
    assert sizes.count((128, 128)) == 3, "the whole picture, half as large, to the next multiple of 64"


def test_a_frame_gets_the_same_answer_whatever_batch_it_is_in(scene: Picture) -> None:
    detector, batch = load_detector(settings()), frames(scene)
    together = detector(batch)
    for frame, found in zip(batch, together, strict=True):
        assert_equal(detector([frame])[0], found)
    for found, again in zip(together, reversed(detector(batch[::-1])), strict=True):
        assert_equal(found, again)


def test_the_small_scan_finds_what_its_size_shows(scene: Picture) -> None:
    small = replace(frame_of(scene), scan_mode=ScanMode.small)
    (found,) = load_detector(settings())([small])
    assert 0 in found.class_ids, "a face of 20 pixels"
    assert_equal(found, load_detector(alone(0.5))([frame_of(scene)])[0])
    at_full_size = changed(settings(), {"detect.small_scan_scale": 1.0})
    assert_equal(load_detector(at_full_size)([small])[0], load_detector(alone(1.0))([frame_of(scene)])[0])


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


def test_the_full_scan_is_what_it_is_without_a_small_one(scene: Picture) -> None:
    frame = frame_of(scene)
    assert frame.scan_mode is ScanMode.full and frame.picture.height == HEIGHT
    assert_equal(load_detector(settings())([frame])[0], load_detector(settings(every=1))([frame])[0])


def test_labelled_pictures_get_the_full_scan_whatever_is_set_for_videos(scene: Picture) -> None:
    detectors = load_detectors(settings(), lambda given: load_detector(_checked(given)))
    sizes = shown_to(detectors.configured)  # type: ignore[arg-type]
    detectors.configured([frame_of(scene)])
    assert len(sizes) == 4


def _checked(given: Settings) -> Settings:
    assert not given.track.enabled and given.detect.every == 1
    return given


def test_a_network_that_sets_its_own_size_gains_nothing_from_a_smaller_picture() -> None:
    model = "model={name: mine, weights: mine.pt, network: {_target_: torch.nn.Identity}}"
    asked = load_settings([model, "detect.every=2", "detect.variants.scales=[1]", "device=cpu"])
    with pytest.raises(ConfigError, match=r"mine: the network sets its own size.*detect\.small_scan_scale must be 1"):
        load_detector(asked)


def test_tracking_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"^detect\.every must be 1 where track\.enabled is false, got 3$"):
        replace(settings(), track=TrackConfig(enabled=False))
