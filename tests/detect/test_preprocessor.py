"""Preparing: every pixel is seen, in bounded memory, and boxes find their way back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.config.schema import BUILT_IN_V2
from blurscene_stream.detect.backends.network import MULTIPLES
from blurscene_stream.detect.letterbox import Letterbox, letterbox_centered, letterbox_top_left
from blurscene_stream.detect.preprocessor import Preprocessor, Sample
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from tests.detect.pictures import Picture, frame_of, stored_as

ORIENTATIONS = [Orientation(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
YUV = PIXEL_FORMATS["yuv420p"]

pictures = st.builds(
    PictureInfo,
    st.integers(1, 100_000),
    st.integers(1, 100_000),
    st.just(YUV),
    st.sampled_from(ORIENTATIONS),
    st.fractions(Fraction(1, 20), 20, max_denominator=100),
)


def drawn(view: Letterbox, *stored: Picture) -> Picture:
    picture = view.picture
    frames = [frame_of(each, picture.orientation, picture.sample_aspect_ratio) for each in stored]
    frames = [type(frame)(0, 0, picture, (), frame.scale_rgb, None) for frame in frames]
    out = np.full((len(stored), view.height, view.width, 3), 7, np.uint8)
    preprocessor = Preprocessor()
    for frame, target in zip(frames, out, strict=True):
        preprocessor.draw(frame, view, target)
    return out


@given(picture=pictures, size_px=st.integers(32, 8192))
def test_the_input_is_bounded_and_fits_the_network(picture: PictureInfo, size_px: int) -> None:
    view = letterbox_top_left(picture, size_px, 2, multiple=MULTIPLES[BUILT_IN_V2])
    for padded, content in ((view.width, view.content_width), (view.height, view.content_height)):
        assert padded % 64 == 0
        assert 1 <= content <= size_px
        assert content <= padded < content + 64


@given(picture=pictures, size_px=st.integers(32, 2048), corners=st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_box_goes_there_and_back(picture: PictureInfo, size_px: int, corners: list[float]) -> None:
    view = letterbox_top_left(picture, size_px, 2, multiple=MULTIPLES[BUILT_IN_V2])
    wide, high = view.content_width, view.content_height
    upright = np.array([corners], np.float32) * np.array([wide, high, wide, high], np.float32)
    x0, y0, x1, y1 = view.to_stored(upright)[0] / np.tile([picture.width, picture.height], 2)
    turn = picture.orientation
    if turn.transposed:
        x0, y0, x1, y1 = y0, x0, y1, x1
    if turn.flip_x:
        x0, x1 = 1 - x1, 1 - x0
    if turn.flip_y:
        y0, y1 = 1 - y1, 1 - y0
    assert np.allclose([x0, y0, x1, y1], corners, atol=1e-5)


@given(
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    orientation=st.sampled_from(ORIENTATIONS),
    place=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
)
def test_a_pixel_is_drawn_where_its_box_comes_from(
    width: int, height: int, orientation: Orientation, place: tuple[float, float]
) -> None:
    column, row = int(place[0] * width), int(place[1] * height)
    stored = np.zeros((height, width, 3), np.uint8)
    stored[row, column] = 255
    view = letterbox_top_left(PictureInfo(width, height, YUV, orientation), 160, 1, multiple=MULTIPLES[BUILT_IN_V2])
    (picture,) = drawn(view, stored)
    (y,), (x,) = np.nonzero(picture[: view.content_height, : view.content_width, 0])
    box = view.to_stored(np.array([[x, y, x + 1, y + 1]], np.float32))
    assert box.round(3).tolist() == [[column, row, column + 1, row + 1]]


@pytest.mark.parametrize(
    ("width", "height", "aspect", "orientation", "content", "padded"),
    [
        (1280, 720, 1, UPRIGHT, (1280, 720), (1280, 768)),
        (1920, 1080, 1, UPRIGHT, (1280, 720), (1280, 768)),
        (1920, 1080, 1, Orientation(transposed=True, flip_x=True), (720, 1280), (768, 1280)),
        (1440, 1080, Fraction(4, 3), UPRIGHT, (1280, 720), (1280, 768)),
        (1440, 1080, Fraction(4, 3), Orientation(transposed=True), (720, 1280), (768, 1280)),
        (320, 240, 1, UPRIGHT, (640, 480), (640, 512)),  # enlarged twice at most
        (1000, 10, 1, UPRIGHT, (1280, 13), (1280, 64)),
        (1, 1, 1, UPRIGHT, (2, 2), (64, 64)),
        (100_000, 1, 1, UPRIGHT, (1280, 1), (1280, 64)),
        (1, 100_000, 1, UPRIGHT, (1, 1280), (64, 1280)),
    ],
)
def test_sizes(
    width: int,
    height: int,
    aspect: int | Fraction,
    orientation: Orientation,
    content: tuple[int, int],
    padded: tuple[int, int],
) -> None:
    view = letterbox_top_left(
        PictureInfo(width, height, YUV, orientation, Fraction(aspect)), 1280, 2, multiple=MULTIPLES[BUILT_IN_V2]
    )
    assert (view.content_width, view.content_height) == content
    assert (view.width, view.height) == padded


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_pixel_of_the_upright_picture_is_drawn(orientation: Orientation) -> None:
    upright = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    stored = stored_as(upright, orientation)
    view = letterbox_top_left(
        PictureInfo(stored.shape[1], stored.shape[0], YUV, orientation), 640, 1, multiple=MULTIPLES[BUILT_IN_V2]
    )
    pair = drawn(view, stored, stored // 2)
    assert np.array_equal(pair[0, :50, :70], upright)
    assert np.array_equal(pair[1, :50, :70], upright // 2)
    assert (pair[:, 50:] == 7).all()
    assert (pair[:, :, 70:] == 7).all()


@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    sides=st.tuples(st.integers(16, 2000), st.integers(16, 2000)),
    times=st.sampled_from([1.0, 0.5, 0.25]),
    corners=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_a_padded_picture_fits_as_blurscene_counts(
    width: int, height: int, sides: tuple[int, int], times: float, corners: list[float]
) -> None:
    view = letterbox_centered(PictureInfo(width, height, YUV), *sides, times)
    factor = times * min(sides[0] / width, sides[1] / height)
    content = view.content_width, view.content_height
    assert (view.width, view.height) == sides
    assert np.allclose(content, np.maximum(np.floor([factor * width, factor * height]), 1), atol=1)
    assert (view.left, view.top) == tuple((side - inner) // 2 for side, inner in zip(sides, content, strict=True))
    assert 0 < content[0] <= sides[0] and 0 < content[1] <= sides[1]
    shown = np.array([corners], np.float32) * np.array([*content, *content]) + np.tile([view.left, view.top], 2)
    back = view.to_stored(shown.astype(np.float32))[0] / np.tile([width, height], 2)
    assert np.allclose(back, corners, atol=1e-3)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_padded_picture_is_drawn_in_the_middle(orientation: Orientation) -> None:
    upright = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    stored = stored_as(upright, orientation)
    view = letterbox_centered(PictureInfo(stored.shape[1], stored.shape[0], YUV, orientation), 70, 81)
    assert view.top == 15
    (picture,) = drawn(view, stored)
    assert np.array_equal(picture[15:65], upright)
    assert (picture[:15] == 7).all() and (picture[65:] == 7).all()
    (mirrored,) = drawn(replace(view, mirrored=True), stored)
    assert np.array_equal(mirrored[15:65], upright[:, ::-1])


def test_a_frame_of_another_shape_is_refused() -> None:
    one, other = (frame_of(np.zeros((height, 40, 3), np.uint8)) for height in (40, 41))
    view = letterbox_top_left(one.picture, 640, 2, multiple=MULTIPLES[BUILT_IN_V2])
    with pytest.raises(ValueError, match="frame 0"):
        Preprocessor().draw(other, view, np.zeros((96, 96, 3), np.uint8))


def noise(height: int, width: int, seed: int) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_small_view_is_the_mean_of_the_large_one_before(orientation: Orientation, mirrored: bool) -> None:
    frames = [frame_of(noise(80, 160, seed), orientation, number=seed) for seed in (1, 2)]
    large = letterbox_top_left(frames[0].picture, 160, 1, multiple=MULTIPLES[BUILT_IN_V2])
    small = letterbox_top_left(frames[0].picture, 160, 1, 0.25, MULTIPLES[BUILT_IN_V2])
    large, small = replace(large, mirrored=mirrored), replace(small, mirrored=mirrored)
    preprocessor = Preprocessor()
    wholes = preprocessor.batch([Sample(frame, large, 0) for frame in frames])
    shrunk = preprocessor.batch([Sample(frame, small, 0) for frame in reversed(frames)])
    high, wide = small.content_height, small.content_width
    for whole, seen in zip(wholes[::-1], shrunk, strict=True):
        blocks = whole[:, : 4 * high, : 4 * wide].reshape(3, high, 4, wide, 4)
        assert np.abs(seen[:, :high, :wide] - blocks.mean(axis=(2, 4))).max() < 2  # rounded twice
        assert not seen[:, high:].any() and not seen[:, :, wide:].any()


@pytest.mark.parametrize("change", ["frame", "mirrored", "region", "rotation", "size"])
def test_a_small_view_of_something_else_is_drawn_anew(change: str) -> None:
    frame, other = (frame_of(noise(96, 96, seed), number=seed) for seed in (1, 2))
    large = letterbox_top_left(frame.picture, 96, 1)
    small = letterbox_top_left(frame.picture, 96, 1, 0.25 if change != "size" else 0.3)
    changed: dict[str, dict[str, Any]] = {
        "mirrored": {"mirrored": True},
        "region": {"region": (8, 8, 80, 80)},
        "rotation": {"rotation": 90},
    }
    view = replace(small, **changed.get(change, {}))
    shown = other if change == "frame" else frame
    preprocessor = Preprocessor()
    preprocessor.batch([Sample(frame, large, 0)])
    assert np.array_equal(preprocessor.batch([Sample(shown, view, 0)]), Preprocessor().batch([Sample(shown, view, 0)]))


def test_memory_that_is_used_again_shows_nothing_of_the_picture_before() -> None:
    large, small = (frame_of(np.full((side, side, 3), 255, np.uint8)) for side in (96, 40))
    preprocessor, pad = Preprocessor(), (1, 2, 3)
    for _ in range(2):
        preprocessor.batch([Sample(large, letterbox_centered(large.picture, 96, 96), 0)] * 2, pad)
    for _ in range(2):
        (seen,) = preprocessor.batch(
            [Sample(small, replace(letterbox_top_left(small.picture, 40, 1), width=96, height=96), 0)], pad
        )
        assert (seen[:, :40, :40] == 255).all()
        assert np.unique(seen[:, 40:].reshape(3, -1), axis=1).T.tolist() == [list(pad)]
        assert np.unique(seen[:, :, 40:].reshape(3, -1), axis=1).T.tolist() == [list(pad)]
