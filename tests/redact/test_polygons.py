"""Polygon masks: pixels of which any part lies inside, and pixels that lie inside from corner to corner."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.config.areas import Polygon, parse_polygon
from blurscene_stream.frames import PictureInfo
from blurscene_stream.redact.regions import block_region
from blurscene_stream.redact.zones import Mask, inner_pixels, to_stored, touched_pixels
from tests.profiles import examples

from .noise_frames import FORMATS, covered_luma, formats, sizes

WIDTH, HEIGHT = 37, 23
FINE = 16  # points looked at along each side of a pixel
TURNS = [Orientation(*ways) for ways in product((False, True), repeat=3)]

quarters = st.integers(0, 4 * 45).map(lambda number: number / 4)
points = st.lists(st.tuples(quarters, quarters), min_size=2, max_size=6)


def text_of(corners: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.7f},{y:.7f}" for x, y in corners)


def polygon_or_not(corners: list[tuple[float, float]]) -> Polygon:
    try:
        return parse_polygon(text_of(corners))
    except ValueError:
        assume(False)
        raise


def picture_of(turn: Orientation = UPRIGHT, ratio: Fraction = Fraction(1), form: str = "yuv444p") -> PictureInfo:
    return PictureInfo(WIDTH, HEIGHT, FORMATS[form], turn, ratio)


def windings(area: Polygon) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """How often the polygon goes round each of FINE x FINE points of each pixel, summed up angle by angle."""
    ys, xs = np.meshgrid(
        (np.arange(HEIGHT * FINE) + 0.4871) / FINE, (np.arange(WIDTH * FINE) + 0.5177) / FINE, indexing="ij"
    )
    corners = np.array([*area.points, area.points[0]])
    angles = np.unwrap([np.arctan2(y - ys, x - xs) for x, y in corners], axis=0)
    return np.asarray(np.rint((angles[-1] - angles[0]) / (2 * np.pi)).astype(np.int64))


def pixels(fine: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return fine.reshape(HEIGHT, FINE, WIDTH, FINE).swapaxes(1, 2).reshape(HEIGHT, WIDTH, FINE * FINE)


@examples(60)
@given(points)
def test_every_pixel_that_is_partly_inside_is_touched_and_none_that_is_partly_outside_is_inside(
    corners: list[tuple[float, float]],
) -> None:
    area = polygon_or_not(corners)
    assume(not area.in_shares)
    within = pixels(windings(area) != 0)
    odd = pixels(windings(area) % 2 == 1)
    placed = to_stored(area, picture_of())
    outer, inner = touched_pixels(placed, WIDTH, HEIGHT), inner_pixels(placed, WIDTH, HEIGHT)
    assert (outer >= within.any(axis=2)).all()
    assert (inner <= odd.all(axis=2)).all()
    assert (outer >= inner).all()
    # And no more than rounding asks for: in doubt are the pixels on an edge alone.
    edge = on_an_edge(area)
    assert (outer & ~edge <= within.any(axis=2)).all()
    assert (odd.all(axis=2) & ~edge <= inner).all()


def on_an_edge(area: Polygon) -> Mask:
    """The pixels that an edge runs through, or within a hundredth of a pixel of."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    corners = np.array([*area.points, area.points[0]])
    for start, end in pairwise(corners):
        along = start + np.linspace(0, 1, 5000)[:, None] * (end - start)
        for off_x, off_y in product((-0.01, 0.01), repeat=2):
            x, y = np.floor(along + np.array([off_x, off_y])).astype(int).T
            there = (x >= 0) & (y >= 0) & (x < WIDTH) & (y < HEIGHT)
            mask[y[there], x[there]] = True
    return mask


@pytest.mark.parametrize(
    ("corners", "outer", "inner"),
    [
        ("10,5 20,9", (10, 5, 20, 9), (10, 5, 20, 9)),
        ("10.5,5 20,9.25", (10, 5, 20, 10), (11, 5, 20, 9)),
        ("13.25,4.25 13.75,4.5", (13, 4, 14, 5), None),
        ("30,20 200,200", (30, 20, WIDTH, HEIGHT), (30, 20, WIDTH, HEIGHT)),
    ],
)
def test_rectangles_to_the_pixel(
    corners: str, outer: tuple[int, int, int, int], inner: tuple[int, int, int, int] | None
) -> None:
    placed = to_stored(parse_polygon(corners), picture_of())
    for mask, box in ((touched_pixels(placed, WIDTH, HEIGHT), outer), (inner_pixels(placed, WIDTH, HEIGHT), inner)):
        expected = np.zeros((HEIGHT, WIDTH), bool)
        if box is not None:
            expected[box[1] : box[3], box[0] : box[2]] = True
        np.testing.assert_array_equal(mask, expected)


def test_what_is_gone_round_twice_is_covered_and_not_left_out() -> None:
    twice = to_stored(parse_polygon("5,5 15,5 15,15 5,15 5,5 15,5 15,15 5,15"), picture_of())
    assert touched_pixels(twice, WIDTH, HEIGHT)[5:15, 5:15].all()
    assert not inner_pixels(twice, WIDTH, HEIGHT).any()


@pytest.mark.parametrize("width", [640, 1280, 1920, 3840])
def test_shares_that_are_whole_pixels_are_these_pixels(width: int) -> None:
    for tenth in range(1, 10):
        picture = PictureInfo(width, 10, FORMATS["yuv420p"])
        placed = to_stored(parse_polygon(f"0,0 {tenth / 10},1"), picture)
        for mask in (touched_pixels(placed, width, 10), inner_pixels(placed, width, 10)):
            assert mask.all(axis=0).sum() == mask.any(axis=0).sum() == tenth * width // 10


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("shares", [False, True])
@examples(25)
@given(corners=points)
def test_the_polygon_lies_where_it_is_seen(turn: Orientation, shares: bool, corners: list[tuple[float, float]]) -> None:
    """What is drawn on the upright picture and what is drawn on the stored one, turned upright, are the same."""
    width, height = turn.upright_size(WIDTH, HEIGHT)
    if shares:
        corners = [(x / 45, y / 45) for x, y in corners]
    area = polygon_or_not(corners)
    upright = PictureInfo(width, height, FORMATS["yuv444p"])
    for draw in (touched_pixels, inner_pixels):
        seen = draw(to_stored(area, upright), width, height)
        on_stored = draw(to_stored(area, picture_of(turn)), WIDTH, HEIGHT)
        np.testing.assert_array_equal(turn.upright(on_stored.view(np.uint8)), seen.view(np.uint8))


@pytest.mark.parametrize("turn", TURNS)
def test_pixels_that_are_not_square_are_seen_square(turn: Orientation) -> None:
    """37 x 23 with pixels twice as wide as high are seen as 74 x 23; the corners are pixels of that."""
    width, height = turn.upright_size(2 * WIDTH, HEIGHT)
    area = parse_polygon("4,6 20,18")
    seen = touched_pixels(to_stored(area, PictureInfo(width, height, FORMATS["yuv444p"])), width, height)
    on_stored = touched_pixels(to_stored(area, picture_of(turn, Fraction(2))), WIDTH, HEIGHT)
    wide = turn.upright(on_stored.view(np.uint8).repeat(2, axis=1))
    assert (wide >= seen.view(np.uint8)).all()  # rounded outwards: half a stored pixel more at each side
    assert wide.sum() <= seen.sum() + 4 * max(seen.any(axis=0).sum(), seen.any(axis=1).sum())
    shares = touched_pixels(to_stored(parse_polygon("0,0 0.5,1"), picture_of(turn, Fraction(2))), WIDTH, HEIGHT)
    left_half = turn.upright(shares.view(np.uint8))
    across = left_half.shape[1]
    assert left_half[:, : -(-across // 2)].all()
    assert not left_half[:, -(-across // 2) :].any()


@given(formats, sizes, st.data())
def test_a_region_has_all_blocks_of_its_pixels_and_no_others(
    name: str, size: tuple[int, int], data: st.DataObject
) -> None:
    width, height = size
    picture = PictureInfo(width, height, FORMATS[name])
    settings = data.draw(st.lists(st.integers(0, width * height - 1), min_size=1, max_size=9))
    mask = np.zeros((height, width), bool)
    mask.flat[settings] = True
    covered = covered_luma(picture, [block_region(mask, picture)])
    step_y, step_x = 1 << picture.pixel_format.shift_y, 1 << picture.pixel_format.shift_x
    for y, x in np.argwhere(covered | mask).tolist():
        block = np.s_[y // step_y * step_y :, x // step_x * step_x :]
        assert mask[block][:step_y, :step_x].any()
        assert covered[y, x]
