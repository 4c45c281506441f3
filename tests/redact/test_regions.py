"""Cover geometry: boxes with margin and shape become regions of whole blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.config.schema import ClassConfig, Shape
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from blurscene_stream.redact import Region, cover_regions
from tests.profiles import examples

from .noise_frames import FORMATS, Box, corners, covered_luma, detections_at, formats, shapes, sizes

EXAMPLES = examples(300)


def regions_of(picture: PictureInfo, *boxes: Box, shape: Shape, margin: float, min_margin_px: int) -> list[Region]:
    return cover_regions(picture, detections_at(*boxes), [ClassConfig(margin=margin, shape=shape)] * 2, min_margin_px)


def grown(low: float, high: float, margin: float, min_margin_px: int) -> tuple[float, float]:
    low, high = float(np.float32(min(low, high))), float(np.float32(max(low, high)))
    grow = max((high - low) * margin, min_margin_px)
    return low - grow, high + grow


@EXAMPLES
@given(formats, sizes, corners, shapes, st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 3))
def test_the_whole_box_and_its_margin_are_covered(
    name: str, size: tuple[int, int], box: Box, shape: Shape, margin: float, min_margin_px: int
) -> None:
    picture = PictureInfo(*size, FORMATS[name])
    mask = covered_luma(picture, regions_of(picture, box, shape=shape, margin=margin, min_margin_px=min_margin_px))
    (x0, x1), (y0, y1) = grown(box[0], box[2], margin, min_margin_px), grown(box[1], box[3], margin, min_margin_px)
    for y in range(max(0, math.floor(y0)), min(size[1], math.ceil(y1))):
        for x in range(max(0, math.floor(x0)), min(size[0], math.ceil(x1))):
            assert mask[y, x]


@EXAMPLES
@given(formats, sizes, corners, st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 3))
def test_a_rectangle_covers_less_than_a_block_beyond_the_margin(
    name: str, size: tuple[int, int], box: Box, margin: float, min_margin_px: int
) -> None:
    picture = PictureInfo(*size, FORMATS[name])
    for region in regions_of(picture, box, shape=Shape.rectangle, margin=margin, min_margin_px=min_margin_px):
        for start, stop, (low, high), shift in (
            (region.x0, region.x1, grown(box[0], box[2], margin, min_margin_px), picture.pixel_format.shift_x),
            (region.y0, region.y1, grown(box[1], box[3], margin, min_margin_px), picture.pixel_format.shift_y),
        ):
            block = 1 << shift
            assert start % block == 0
            assert start > max(low, 0) - block or start == 0
            assert stop < high + block or stop - start <= block


@EXAMPLES
@given(formats, st.floats(0, 60), st.floats(0, 60), st.floats(0.5, 60), st.floats(0.5, 60))
def test_an_ellipse_is_filled_and_not_much_more(name: str, x0: float, y0: float, width: float, height: float) -> None:
    picture = PictureInfo(67, 53, FORMATS[name])
    form = picture.pixel_format
    box = (x0, y0, x0 + width, y0 + height)
    regions = regions_of(picture, box, shape=Shape.ellipse, margin=0, min_margin_px=0)
    mask = covered_luma(picture, regions)
    block_x, block_y = 1 << form.shift_x, 1 << form.shift_y
    (a0, a1), (b0, b1) = grown(x0, x0 + width, 0, 0), grown(y0, y0 + height, 0, 0)
    left, right = math.floor(a0 / block_x) * block_x, math.ceil(a1 / block_x) * block_x
    top, bottom = math.floor(b0 / block_y) * block_y, math.ceil(b1 / block_y) * block_y
    ys, xs = np.mgrid[0:53, 0:67] + 0.5
    far = np.hypot((xs - (left + right) / 2) / (right - left), (ys - (top + bottom) / 2) / (bottom - top)) * math.sqrt(
        2
    )
    assert mask[far <= 1].all()
    slack = math.sqrt(2) * 2 * math.hypot(block_x / (right - left), block_y / (bottom - top))
    assert not mask[far > 1 + slack].any()


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20)),
        ((10.1, 10.9, 20.1, 20.9), (10, 10, 22, 22)),  # outwards
        ((11, 11, 19, 19), (10, 10, 20, 20)),  # to whole blocks
        ((20, 20, 10, 10), (10, 10, 20, 20)),  # inside out
        ((10.5, 10.5, 10.5, 10.5), (10, 10, 12, 12)),  # without area: a block
        ((10, 10, 10, 10), (10, 10, 12, 12)),
        ((-50, -50, 500, 500), (0, 0, 33, 31)),
        ((32.5, 30.5, 32.6, 30.6), (32, 30, 33, 31)),  # the last pixel
        ((31, 29, 33, 31), (30, 28, 33, 31)),
        ((-5, 3, 0, 9), None),  # half open: ends where the picture begins
        ((33.5, 3, 40, 9), (32, 2, 33, 10)),  # outside, but in the last block
        ((34, 3, 40, 9), None),
        ((3, -9e9, 9, -8e9), None),
    ],
)
def test_regions_of_a_picture_with_odd_sides(box: Box, expected: tuple[int, int, int, int] | None) -> None:
    picture = PictureInfo(33, 31, PIXEL_FORMATS["yuv420p"])
    regions = regions_of(picture, box, shape=Shape.rectangle, margin=0, min_margin_px=0)
    assert [(r.x0, r.y0, r.x1, r.y1) for r in regions] == ([expected] if expected else [])


def test_each_class_has_its_own_margin_and_shape() -> None:
    picture = PictureInfo(200, 200, PIXEL_FORMATS["yuv444p"])
    classes = [ClassConfig(margin=0.5), ClassConfig(margin=0, shape=Shape.ellipse)]
    [face] = cover_regions(picture, detections_at((50, 50, 70, 90), class_id=0), classes, 0)
    [plate] = cover_regions(picture, detections_at((50, 50, 70, 90), class_id=1), classes, 0)
    assert (face.x0, face.y0, face.x1, face.y1) == (40, 30, 80, 110)
    assert face.block_mask is None
    assert plate.block_mask is not None
    assert (plate.x0, plate.x1) == (45, 75)


def test_regions_name_their_detections() -> None:
    picture = PictureInfo(64, 64, PIXEL_FORMATS["yuv420p"])
    detections = detections_at((1, 1, 9, 9), (-90, 0, -80, 9), (30, 30, 40, 50))
    classes = [ClassConfig(margin=0)] * 2
    assert [(r.index, r.longest_px) for r in cover_regions(picture, detections, classes, 0)] == [(0, 10), (2, 20)]


def test_the_longer_side_counts_what_the_border_cuts_off() -> None:
    picture = PictureInfo(64, 64, PIXEL_FORMATS["yuv420p"])
    [region] = cover_regions(picture, detections_at((-100, 10, 20, 50)), [ClassConfig(margin=0)] * 2, 0)
    assert region.longest_px == 120


def test_nan_is_never_taken_for_an_object_outside() -> None:
    picture = PictureInfo(64, 64, PIXEL_FORMATS["yuv420p"])
    detections = detections_at((10, 10, 20, 20))
    detections.xyxy[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        cover_regions(picture, detections, [ClassConfig()] * 2, 2)
