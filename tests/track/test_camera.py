"""The camera's motion is found again, and nothing is called a cut but a cut."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame
from blurscene_stream.source import open_source
from blurscene_stream.track.camera import Camera, Step
from tests.profiles import examples
from tests.track.scenes import HEIGHT, WIDTH, Picture, cuts_in, frame_of, scene, view, watched

STREET, MARKET = scene(1), scene(2)
NEAR_PX = 0.75  # of 640: less than half a pixel of the small picture that is measured
STILL = Step(cut=False)


def moved(step: Step, x: float, y: float) -> tuple[float, float]:
    return step.scale * x + step.right, step.scale * y + step.down


def assert_corners(step: Step, zoom: float, right: float, down: float, near_px: float = NEAR_PX) -> None:
    """All four corners of the picture go where they must."""
    assert not step.cut
    for x, y in ((0, 0), (WIDTH, 0), (0, HEIGHT), (WIDTH, HEIGHT)):
        assert moved(step, x, y) == pytest.approx((zoom * x + right, zoom * y + down), abs=near_px)


@examples(25)
@given(right=st.floats(-50, 50), down=st.floats(-50, 50))
def test_a_shift_is_found_again(right: float, down: float) -> None:
    _, step = watched([view(STREET), view(STREET, 400 - right, 200 - down)])
    assert_corners(step, 1, right, down)


@examples(25)
@given(zoom=st.floats(0.92, 1.08), right=st.floats(-20, 20), down=st.floats(-20, 20))
def test_a_zoom_is_found_again(zoom: float, right: float, down: float) -> None:
    """A point of the scene at 400 + a is seen at a before, and at zoom * a + right after."""
    _, step = watched([view(STREET), view(STREET, 400 - right / zoom, 200 - down / zoom, zoom)])
    assert_corners(step, zoom, right, down, near_px=1.0)


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv444p", "yuvj422p", "gray16le", "gbrp"])
def test_every_depth_and_layout_is_measured_alike(pixel_format: str) -> None:
    _, step = watched([view(STREET), view(STREET, 388, 206)], pixel_format)
    assert_corners(step, 1, 12, -6)


@pytest.mark.parametrize("size", [(641, 359), (333, 77), (1917, 1079), (202, 360), (150, 110)])
def test_odd_sizes_are_measured_in_stored_pixels(size: tuple[int, int]) -> None:
    wide = scene(3, 2400, 1400)
    _, step = watched([view(wide, 200, 100, size=size), view(wide, 194, 103, size=size)])
    assert (step.scale, step.right, step.down) == pytest.approx((1, 6, -3), abs=0.5)


@pytest.mark.parametrize("size", [(16, 16), (17, 15), (1, 1), (2, 900), (900, 2), (3, 3)])
def test_a_tiny_picture_has_no_cut_and_no_wild_motion(size: tuple[int, int]) -> None:
    steps = watched([view(STREET, size=size), view(STREET, 401, size=size), view(MARKET, size=size)])
    assert not any(step.cut for step in steps)
    for step in steps:
        assert moved(step, *size) == pytest.approx(size, abs=max(size))


def test_colour_and_noise_hide_no_motion() -> None:
    rng = np.random.default_rng(0)
    after = view(STREET, 390, 207) * np.float32(0.8) + 10
    noisy = [(picture + rng.normal(0, 6, picture.shape)).astype(np.float32) for picture in (view(STREET), after)]
    assert_corners(watched(noisy)[1], 1, 10, -7, near_px=1.0)


def test_a_camera_that_stands_still_has_no_motion() -> None:
    for step in watched([view(STREET)] * 3):
        assert_corners(step, 1, 0, 0, near_px=0.01)


@pytest.mark.parametrize("luma", [0, 16, 128, 255])
def test_flat_pictures_show_no_motion(luma: int) -> None:
    flat = np.full((HEIGHT, WIDTH), luma, np.float32)
    assert watched([flat, flat, flat]) == [STILL] * 3


def test_what_cannot_be_measured_is_no_motion() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(4)]
    assert all((step.scale, step.right, step.down) == (1, 0, 0) for step in watched(noise))


def test_without_motion_only_cuts_are_told() -> None:
    pictures = [view(STREET), view(STREET, 390), view(MARKET), view(MARKET, 390)]
    assert watched(pictures, motion=False) == [STILL, STILL, Step(cut=True), STILL]


def test_the_same_pictures_give_the_same_steps() -> None:
    pictures = [view(STREET, 400 + 7 * n, 200 + 3 * n, 1 + n / 50) for n in range(8)] + [view(MARKET)]
    cv2.setRNGSeed(1)
    first = watched(pictures)
    cv2.setRNGSeed(99)
    np.random.default_rng().random()
    assert watched(pictures) == first


def test_a_frame_that_is_redacted_afterwards_changes_no_step() -> None:
    """Redaction writes into the frame's own memory."""
    for size in ((WIDTH, HEIGHT), (160, 120)):
        camera = Camera(motion=True)
        frame = frame_of(view(STREET, size=size))
        camera.step(frame)
        frame.planes[0][...] = 16
        step = camera.step(frame_of(view(STREET, 396, size=size)))
        assert (step.right, step.down) == pytest.approx((4, 0), abs=0.5)


@pytest.mark.parametrize("covered", [0.3, 0.5, 0.7])
def test_a_lorry_before_a_fixed_camera_moves_no_camera(covered: float) -> None:
    assert all(abs(step.right) < 1 for step in watched(passing_lorry(round(covered * WIDTH))))


@pytest.mark.parametrize("covered", [0.3, 0.7, 1.0])
def test_a_passing_lorry_is_no_cut(covered: float) -> None:
    assert not cuts_in(passing_lorry(round(covered * WIDTH)))


def passing_lorry(length: int) -> list[Picture]:
    """A lorry of other texture drives over the picture, 32 pixels a frame."""
    pictures: list[Picture] = []
    for front in range(0, WIDTH + length, 32):
        picture = view(STREET)
        left, right = max(0, front - length), min(WIDTH, front)
        picture[40:, left:right] = view(MARKET, 700 - front)[40:, left:right]
        pictures.append(picture)
    return pictures


def steady(count: int = 6) -> list[Picture]:
    """A hand holds the camera."""
    return [view(STREET, 400 + 3 * (n % 2), 200 + 2 * (n % 3)) for n in range(count)]


def blurred(picture: Picture) -> Picture:
    """By a fast movement to the side."""
    return cast(Picture, cv2.blur(picture, (60, 1)))


DISTURBANCES: dict[str, list[Picture]] = {
    "a white flash": [np.full((HEIGHT, WIDTH), 235, np.float32)],
    "an overexposed flash": [view(STREET) * 3],
    "a flash of two pictures": [view(STREET) * 1.5 + 60, view(STREET) * 1.2 + 40],
    "three black pictures": [np.full((HEIGHT, WIDTH), 16, np.float32)] * 3,
    "a dark picture": [view(STREET) * 0.1],
    "a grey picture of a broken stream": [np.full((HEIGHT, WIDTH), 128, np.float32)],
    "less light from now on": [picture * 0.4 for picture in steady()],
    "more light from now on": [picture * 1.5 + 20 for picture in steady()],
    "a fade to black and back": [view(STREET) * np.float32(abs(n) / 10) for n in range(-10, 11)],
    "a fast pan": [view(STREET, 400 + x) for x in (10, 60, 160, 310, 460, 310, 160, 60, 10)],
    "a blurred pan": [blurred(view(STREET, 400 + x)) for x in (20, 80, 140, 200, 140, 80, 20)],
    "a camera that is knocked": [view(STREET, 400 + x, 200 + y) for x, y in ((90, -70), (-80, 60), (60, 80), (0, 0))],
    "a zoom": [view(STREET, 400 + 15 * n, 200 + 8 * n, 1 + n / 15) for n in (1, 2, 3, 4, 5, 4, 3, 2, 1)],
}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_what_is_no_cut(name: str) -> None:
    assert not cuts_in([*steady(), *(np.clip(picture, 0, 255) for picture in DISTURBANCES[name]), *steady()])


@pytest.mark.parametrize("deviation", [4, 12, 25])
def test_noise_is_no_cut(deviation: int) -> None:
    rng = np.random.default_rng(deviation)
    noisy = [(picture + rng.normal(0, deviation, picture.shape)).astype(np.float32) for picture in steady()]
    assert not cuts_in([*steady(), *noisy, *steady()])


def test_a_dark_scene_in_strong_noise_is_no_cut() -> None:
    """A camera turns up its gain at night: hardly a block looks as it did."""
    rng = np.random.default_rng(0)
    dark = [picture * np.float32(0.15) + 60 for picture in steady()]
    noisy = [(picture + rng.normal(0, 60, picture.shape)).astype(np.float32) for picture in dark]
    assert not cuts_in([*dark, *noisy, *dark])


def test_a_dissolve_is_no_cut() -> None:
    shares = np.linspace(0, 1, 13, dtype=np.float32)
    assert not cuts_in([view(STREET) * (1 - share) + view(MARKET) * share for share in shares])


@pytest.mark.parametrize("seed", range(10, 16))
def test_another_scene_is_a_cut(seed: int) -> None:
    other = scene(seed)
    assert cuts_in([*steady(), *(view(other, 300 + 3 * n) for n in range(3)), view(MARKET)]) == [6, 9]


def test_a_cut_through_black_is_found_when_the_new_scene_shows() -> None:
    black = np.full((HEIGHT, WIDTH), 16, np.float32)
    assert cuts_in([*steady(), black, black, view(MARKET), view(MARKET)]) == [8]


def test_a_cut_in_ten_bits_is_found() -> None:
    steps = watched([view(STREET), view(STREET), view(MARKET)], "yuv420p10le")
    assert [step.cut for step in steps] == [False, False, True]


CUTS = {"speaker_640x360": [20, 82, 211]}  # the rest is one scene each


@pytest.mark.parametrize(
    "name", ["speaker_640x360", "walkers_synthetic_752x416", "motorway_1280x720", "portrait_608x1080", "table_fisheye"]
)
def test_the_cuts_of_real_clips(name: str, shared: Path) -> None:
    camera = Camera(motion=False)
    with open_source(Address(str(shared / "data" / "clips" / f"{name}.mp4")), Settings()) as source:
        frames = (item for item in source.items() if isinstance(item, Frame))
        assert [frame.number for frame in frames if camera.step(frame).cut] == CUTS.get(name, [])
