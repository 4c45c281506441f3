"""Network input made of planes on a device: what swscale and NumPy make of the same frames, within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from blurscene_stream.address import Address
from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect.backends.torch import plane_input
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.backends.torch.planes import Planes, upload
from blurscene_stream.detect.letterbox import Letterbox, letterbox_centered, letterbox_top_left
from blurscene_stream.detect.preprocessor import Preprocessor, Sample
from blurscene_stream.frames import PIXEL_FORMATS, Frame
from blurscene_stream.image.samples import DecodedImage
from blurscene_stream.source import open_source
from tests.detect.pictures import Picture, stored_as
from tests.detect.yuv_frames import yuv_frame

CPU = torch.device("cpu")
ORIENTATIONS = [Orientation(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
CLOSE, COARSE = (2.5, 5), (3.0, 25)
"""Levels: the mean difference, and what 99 in 100 stay within. swscale truncates where this rounds, which is half a
level to two. Regions are means over a square there, over a triangle here: hard edges between colours differ.
"""


def drawn(samples: list[Sample], pad: tuple[int, int, int] = (0, 0, 0)) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The samples as they are drawn on a device, and as the CPU's way draws them."""
    made = PlanePreprocessor(CPU).batch(samples, pad)
    assert made.dtype == torch.uint8 and made.is_contiguous(memory_format=torch.channels_last)
    return made.numpy().astype(np.int64), Preprocessor().batch(samples, pad).astype(np.int64)


def assert_close(made: NDArray[np.int64], wanted: NDArray[np.int64], tolerance: tuple[float, float]) -> None:
    difference = np.abs(made - wanted)
    assert difference.mean() <= tolerance[0] and np.quantile(difference, 0.99) <= tolerance[1]


def whole(frame: Frame, size_px: int, times: float = 1.0) -> Letterbox:
    return letterbox_top_left(frame.picture, size_px, 2, times, 32)


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_every_format_becomes_the_same_input(name: str, full_range: bool, scene: Picture) -> None:
    odd = scene[:143, :223]
    large = np.asarray(cv2.resize(scene, (893, 574), interpolation=cv2.INTER_CUBIC))
    native = odd.shape[1]
    for stored, size_px in (
        (scene, 448),
        (scene, scene.shape[1]),
        (odd, 336),
        (odd, native),
        (large, 224),
        (large, 161),
    ):
        frame = yuv_frame(np.ascontiguousarray(stored), name, full_range=full_range or "j" in name)
        view = letterbox_top_left(frame.picture, size_px, 2, 1.0, 32)
        made, wanted = drawn([Sample(frame, view, 0)])
        assert_close(made, wanted, CLOSE)
        assert np.abs(made - wanted).max() <= 8


@pytest.mark.parametrize("name", PIXEL_FORMATS)
@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 9])
def test_colours_are_those_of_the_matrix_and_range(matrix: int, name: str) -> None:
    """Against the picture that the planes were made of: nothing of the CPU's way in between."""
    corners = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [30, 200, 220], [250, 250, 250], [5, 5, 5], [200, 30, 180]]
    stored = np.repeat(np.repeat(np.array([corners], np.uint8), 32, 0), 8, 1)
    for full_range in {True, "j" in name}:
        frame = yuv_frame(stored, name, full_range=full_range, matrix=matrix)
        view = letterbox_top_left(frame.picture, stored.shape[1], 1)
        (made,) = PlanePreprocessor(CPU).batch([Sample(frame, view, 0)]).numpy()
        assert np.abs(made.transpose(1, 2, 0).astype(int) - stored).max() <= 3


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turned_and_mirrored_views_are_the_same(
    orientation: Orientation, rotation: int, mirrored: bool, scene: Picture
) -> None:
    frame = yuv_frame(stored_as(scene, orientation), "yuv444p", orientation)
    turned = replace(frame.picture, orientation=orientation.turned(rotation))
    view = replace(letterbox_top_left(turned, 224, 1, 1.0, 32), picture=frame.picture, rotation=rotation)
    made, wanted = drawn([Sample(frame, replace(view, mirrored=mirrored), 0)])
    assert np.abs(made - wanted).max() <= 1


def test_regions_and_padding_are_the_same(scene: Picture) -> None:
    frames = [yuv_frame(np.roll(scene, 20 * number, 1), number=number) for number in range(3)]
    for region in ((13, 7, 120, 131), (100, 40, 224, 144)):
        view = replace(letterbox_centered(frames[0].picture, 128, 160), region=region)
        made, wanted = drawn([Sample(frame, view, 0) for frame in frames], (1, 2, 3))
        assert_close(made, wanted, COARSE)
        beside = np.ones((160, 128), bool)
        beside[view.top : view.top + view.content_height, view.left : view.left + view.content_width] = False
        assert np.array_equal(made[:, :, beside], wanted[:, :, beside])


def test_a_reduced_view_is_made_of_the_large_one_before(scene: Picture) -> None:
    frames = [yuv_frame(np.roll(scene, 50 * number, 1), number=number) for number in range(2)]
    large, small = (whole(frames[0], 224, times) for times in (1.0, 0.25))
    preprocessor = PlanePreprocessor(CPU)
    wholes = preprocessor.batch([Sample(frame, large, 0) for frame in frames]).numpy()
    shrunk = preprocessor.batch([Sample(frame, small, 0) for frame in reversed(frames)]).numpy()
    means = wholes[::-1, :, :144].reshape(2, 3, 36, 4, 56, 4).mean(axis=(3, 5))
    assert np.abs(shrunk[:, :, :36, :56] - means).max() <= 0.5


def test_a_batch_draws_each_frame_at_its_place_and_brings_it_up_once(
    scene: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [yuv_frame(np.roll(scene, 30 * number, 1), number=number) for number in range(3)]
    plain = whole(frames[0], 224)
    samples = [Sample(frame, view, 0) for frame in frames for view in (plain, replace(plain, mirrored=True))]
    preprocessor, brought = PlanePreprocessor(CPU), list[list[int]]()

    def watched(frames: Sequence[Frame], device: torch.device) -> Planes:
        brought.append([frame.number for frame in frames])
        return upload(frames, device)

    monkeypatch.setattr(plane_input, "upload", watched)
    together = np.concatenate([preprocessor.batch(samples[:3]).numpy(), preprocessor.batch(samples[3:]).numpy()])
    assert brought == [[0, 1], [2]]
    alone = [PlanePreprocessor(CPU).batch([sample]).numpy()[0] for sample in samples]
    assert np.array_equal(together, alone)
    assert not any(np.array_equal(alone[0], each) for each in alone[1:])
    brought.clear()
    preprocessor.forget()
    preprocessor.batch(samples[:1])
    assert brought == [[0]]


def test_a_still_image_is_drawn_in_main_memory() -> None:
    samples = np.random.default_rng(2).integers(0, 256, (50, 70, 4), np.uint8)
    for frame in DecodedImage(samples, "png", lossless=True).frames():
        made, wanted = drawn([Sample(frame, whole(frame, 100), 0)])
        assert np.array_equal(made, wanted)


def test_a_frame_of_another_shape_is_refused(scene: Picture) -> None:
    one, other = yuv_frame(scene), yuv_frame(scene, orientation=replace(UPRIGHT, flip_x=True), number=7)
    with pytest.raises(ValueError, match="frame 7"):
        PlanePreprocessor(CPU).batch([Sample(one, whole(one, 64), 0), Sample(other, whole(one, 64), 0)])


def test_what_goes_up_is_the_frames_as_they_are_then(scene: Picture) -> None:
    """A frame is redacted in its own planes afterwards: what was brought up must not be them."""
    frame = yuv_frame(scene)
    preprocessor, samples = PlanePreprocessor(CPU), [Sample(frame, whole(frame, 224), 0)]
    before = preprocessor.batch(samples).numpy().copy()
    for plane in frame.planes:
        plane[...] = 0
    assert np.array_equal(preprocessor.batch(samples).numpy(), before)


@pytest.mark.parametrize("clip", ["motorway_1280x720", "toll_gate_1280x720", "walkers_synthetic_752x416"])
def test_real_frames_become_the_same_input(clip: str, shared: Path) -> None:
    with open_source(Address(str(shared / "data" / "clips" / f"{clip}.mp4")), Settings()) as source:
        frame = next(item for item in source.items() if isinstance(item, Frame))
    for times in (1.0, 0.25):
        made, wanted = drawn([Sample(frame, letterbox_top_left(frame.picture, 640, 2, times, 64), 0)])
        assert_close(made, wanted, CLOSE)
