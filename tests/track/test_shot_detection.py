"""Shot boundary detection: nothing is called a cut but a cut."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame
from blurscene_stream.source import open_source
from blurscene_stream.track.shot_detection import ShotDetector
from tests.track.scenes import HEIGHT, WIDTH, Picture, cuts_in, frame_of, scene, view

STREET, MARKET = scene(1), scene(2)


@pytest.mark.parametrize("size", [(16, 16), (17, 15), (1, 1), (2, 900), (900, 2), (3, 3)])
def test_a_tiny_picture_has_no_cut(size: tuple[int, int]) -> None:
    assert not cuts_in([view(STREET, size=size), view(STREET, 401, size=size), view(MARKET, size=size)])


@pytest.mark.parametrize("luma", [0, 16, 128, 255])
def test_flat_pictures_have_no_cut(luma: int) -> None:
    assert not cuts_in([np.full((HEIGHT, WIDTH), luma, np.float32)] * 3)


def test_the_same_pictures_give_the_same_cuts() -> None:
    pictures = [view(STREET, 400 + 7 * n, 200 + 3 * n, 1 + n / 50) for n in range(8)] + [view(MARKET)]
    cv2.setRNGSeed(1)
    assert cuts_in(pictures) == [8]
    cv2.setRNGSeed(99)
    assert cuts_in(pictures) == [8]


def test_a_frame_that_is_redacted_afterwards_changes_no_cut() -> None:
    """Redaction writes into the frame's own memory."""
    for size in ((WIDTH, HEIGHT), (160, 120)):
        for scene_after, cut in ((STREET, False), (MARKET, True)):
            shots, frame = ShotDetector(), frame_of(view(STREET, size=size))
            shots.is_cut(frame)
            frame.planes[0][...] = 16
            assert shots.is_cut(frame_of(view(scene_after, 396, size=size))) is cut


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
    assert cuts_in([view(STREET), view(STREET), view(MARKET)], "yuv420p10le") == [2]


CUTS = {"speaker_640x360": [20, 82, 211]}  # the rest is one scene each


@pytest.mark.parametrize(
    "name", ["speaker_640x360", "walkers_synthetic_752x416", "motorway_1280x720", "portrait_608x1080", "table_fisheye"]
)
def test_the_cuts_of_real_clips(name: str, shared: Path) -> None:
    shots = ShotDetector()
    with open_source(Address(str(shared / "data" / "clips" / f"{name}.mp4")), Settings()) as source:
        frames = (item for item in source.items() if isinstance(item, Frame))
        assert [frame.number for frame in frames if shots.is_cut(frame)] == CUTS.get(name, [])
