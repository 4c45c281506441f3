"""Mosaic, blur and solid fill: cells are few, flat, and the means of their samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import RedactMethod, Settings, Shape
from blurscene_stream.frames import Frame, Plane
from blurscene_stream.redact import Redactor, Region, cover_regions
from blurscene_stream.redact.mosaic_grid import MEAN_STEP, MIN_CELL_PX, mosaic_grid
from blurscene_stream.redact.plane_views import plane_views
from tests.profiles import examples

from .noise_frames import (
    CLASSES,
    FORMATS,
    Box,
    corners,
    covered_luma,
    detections_at,
    formats,
    frame_of_noise,
    on_plane,
    settings_of,
    shapes,
)

EXAMPLES = examples(200)
from_means = st.sampled_from([RedactMethod.mosaic, RedactMethod.blur])
starts = st.floats(-20, 60)
lengths = st.floats(0.25, 80)


def regions_of(frame: Frame, detections: Detections, settings: Settings) -> list[Region]:
    return cover_regions(frame.picture, detections, list(settings.classes.values()), settings.redact.min_margin_px)


def seams(part: Plane, axis: int) -> NDArray[np.intp]:
    """Where neighbours differ along an axis, anywhere across it: the first samples of new cells."""
    differs = np.diff(part.astype(np.int64), axis=axis) != 0
    return np.flatnonzero(differs.any(axis=tuple(other for other in range(part.ndim) if other != axis))) + 1


@EXAMPLES
@given(formats, starts, starts, lengths, lengths, st.integers(1, 6), st.integers(0, 99))
def test_mosaic_cells_are_few_flat_and_the_same_in_all_planes(
    name: str, x0: float, y0: float, width: float, height: float, cells: int, seed: int
) -> None:
    frame = frame_of_noise(71, 53, name, seed)
    settings = settings_of(cells=cells)
    one = detections_at((x0, y0, x0 + width, y0 + height))
    Redactor(settings, CLASSES)(frame, one)
    form = frame.picture.pixel_format
    for region in regions_of(frame, one, settings):
        area = (region.x0, region.y0, region.x1, region.y1)
        for view in plane_views(frame, area):
            for axis, length, shift in ((0, area[3] - area[1], form.shift_y), (1, area[2] - area[0], form.shift_x)):
                found_px = seams(view.samples, axis) << (shift if view.plane else 0)
                assert len(found_px) < cells
                assert (np.diff([0, *found_px, length]) >= min(MIN_CELL_PX, length)).all()
                assert (found_px % (1 << shift) == 0).all()  # so chroma has cells of the same outline


@EXAMPLES
@given(formats, st.integers(1, 90), st.integers(1, 90), st.integers(1, 6), st.booleans())
def test_luma_and_chroma_cells_meet(name: str, width: int, height: int, cells: int, cropped: bool) -> None:
    frame = frame_of_noise(91, 91, name)
    form = frame.picture.pixel_format
    x0, y0 = (0, 0) if cropped else (91 - width & ~1, 91 - height & ~1)
    luma, *chromas = plane_views(frame, (x0, y0, min(91, x0 + width), min(91, y0 + height)))
    whole = mosaic_grid(luma, cells, max(width, height))
    for view in chromas:
        part = mosaic_grid(view, cells, max(width, height))
        np.testing.assert_array_equal(part.top << form.shift_y, whole.top)
        np.testing.assert_array_equal(part.left << form.shift_x, whole.left)
        assert part.area.sum() == view.samples.shape[0] * view.samples.shape[1]


@pytest.mark.parametrize(
    ("width", "height", "across", "down"),
    [
        (96, 128, 4, 6),
        (128, 128, 6, 6),
        (2000, 2000, 6, 6),
        (2000, 300, 6, 1),
        (300, 2000, 1, 6),
        (24, 24, 6, 6),
        (22, 22, 5, 5),
        (12, 6, 3, 1),
        (8, 8, 2, 2),
        (6, 6, 1, 1),
        (2, 2, 1, 1),
    ],
)
def test_how_many_cells_an_object_has(width: int, height: int, across: int, down: int) -> None:
    view = next(plane_views(frame_of_noise(2000, 2000), (0, 0, width, height)))
    cells = mosaic_grid(view, 6, max(width, height))
    assert (len(cells.left), len(cells.top)) == (across, down)


def test_half_an_object_has_half_the_cells() -> None:
    view = next(plane_views(frame_of_noise(200, 200), (0, 0, 60, 120)))
    cells = mosaic_grid(view, 6, 120)
    assert (len(cells.left), len(cells.top)) == (3, 6)


@EXAMPLES
@given(formats, st.integers(0, 40), st.integers(0, 40), st.integers(2, 60), st.integers(2, 60), st.integers(0, 99))
def test_a_cell_is_the_mean_of_its_samples(name: str, x0: int, y0: int, width: int, height: int, seed: int) -> None:
    frame, before = frame_of_noise(71, 53, name, seed), frame_of_noise(71, 53, name, seed)
    one = detections_at((x0, y0, x0 + width, y0 + height))
    Redactor(settings_of(), CLASSES)(frame, one)
    step = MEAN_STEP << (frame.picture.pixel_format.bits - 8)
    [region] = regions_of(frame, one, settings_of())
    area = (region.x0, region.y0, region.x1, region.y1)
    for new, old in zip(plane_views(frame, area), plane_views(before, area), strict=True):
        cells = mosaic_grid(new, 6, region.longest_px)
        for top, rows in zip(cells.top, cells.height, strict=True):
            for left, columns in zip(cells.left, cells.width, strict=True):
                flat = new.samples[top : top + rows, left : left + columns]
                source = old.samples[top : top + rows, left : left + columns]
                assert (flat == flat[0, 0]).all()
                mean = source.mean(axis=(0, 1))
                assert (np.abs(flat[0, 0] - mean) <= step / 2).all()
                assert (flat[0, 0] % step == 0).all()


@EXAMPLES
@given(formats, st.lists(corners, min_size=1, max_size=5), from_means, shapes, st.booleans(), st.integers(0, 99))
def test_nothing_but_means_comes_through_even_where_regions_overlap(
    name: str, places: list[Box], method: RedactMethod, shape: Shape, generous: bool, seed: int
) -> None:
    """Samples that change places within a cell change nothing, if they share the cell in every region."""
    settings = settings_of(method, shape, min_margin_px=2 if generous else 0)
    frame, shuffled = frame_of_noise(67, 51, name, seed), frame_of_noise(67, 51, name, seed)
    detections = detections_at(*places)
    regions = regions_of(frame, detections, settings)
    rng = np.random.default_rng(seed)
    for index, plane in enumerate(shuffled.planes):
        keys = atoms(frame, index, regions, settings.redact.cells)
        plane[...] = exchanged(plane, keys, rng)
    Redactor(settings, CLASSES)(frame, detections)
    Redactor(settings, CLASSES)(shuffled, detections)
    for plane, other in zip(frame.planes, shuffled.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


def atoms(frame: Frame, plane: int, regions: list[Region], cells: int) -> NDArray[np.int64]:
    """For each sample of a plane: which cell of which regions it is in, and which of them cover it; -1 for none."""
    rows, columns = frame.planes[plane].shape[:2]
    keys = np.full((rows, columns), -1)
    for region in regions:
        view = list(plane_views(frame, (region.x0, region.y0, region.x1, region.y1)))[plane]
        cut_up = mosaic_grid(view, cells, region.longest_px)
        small = np.arange(1, cut_up.area.size + 1).reshape(cut_up.area.shape)
        number = np.asarray(small.repeat(cut_up.height, axis=0).repeat(cut_up.width, axis=1))
        shift_x, shift_y = (frame.picture.pixel_format.shift_x, frame.picture.pixel_format.shift_y) if plane else (0, 0)
        top, left = region.y0 >> shift_y, region.x0 >> shift_x
        place = np.zeros_like(keys)
        place[top : top + len(number), left : left + len(number[0])] = number
        bare = on_plane(frame, plane, covered_luma(frame.picture, [region]))
        both = np.stack((keys, place, bare), axis=-1).reshape(-1, 3)
        _, keys = np.unique(both, axis=0, return_inverse=True)
        keys = keys.reshape(rows, columns)
    keys[~on_plane(frame, plane, covered_luma(frame.picture, regions))] = -1
    return keys


def exchanged(plane: Plane, keys: NDArray[np.int64], rng: np.random.Generator) -> Plane:
    """The samples of `plane` shuffled among those of equal key; those of key -1 stay."""
    result = plane.copy()
    for key in np.unique(keys[keys >= 0]):
        result[keys == key] = rng.permutation(plane[keys == key], axis=0)
    return result


@pytest.mark.parametrize("shape", list(Shape))
def test_shuffling_is_a_real_change(shape: Shape) -> None:
    """The test above is worth nothing when its two pictures are the same."""
    frame = frame_of_noise(67, 51)
    regions = regions_of(frame, detections_at((5, 5, 50, 45), (20, 9, 60, 50)), settings_of(shape=shape))
    for index, plane in enumerate(frame.planes):
        other = exchanged(plane, atoms(frame, index, regions, 6), np.random.default_rng(0))
        mask = on_plane(frame, index, covered_luma(frame.picture, regions))
        assert (other != plane)[mask].mean() > 0.8


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_blur_is_smooth_and_within_the_range_of_the_means(name: str) -> None:
    flat, soft = frame_of_noise(200, 160, name), frame_of_noise(200, 160, name)
    unit = 1 << max(0, FORMATS[name].bits - 10)
    for frame, method in ((flat, RedactMethod.mosaic), (soft, RedactMethod.blur)):
        for plane in frame.planes:  # an edge in the middle: as much contrast as there can be
            plane[...] = 0
            plane[:, plane.shape[1] // 2 :] = 255 * unit
        Redactor(settings_of(method, margin=0, min_margin_px=0), CLASSES)(frame, detections_at((40, 20, 160, 140)))
    for hard, smooth in zip(flat.planes, soft.planes, strict=True):
        middle = slice(smooth.shape[1] // 5 + 1, smooth.shape[1] * 4 // 5 - 1)
        row = smooth[smooth.shape[0] // 2, middle].astype(int) / unit
        slope = 255 / (smooth.shape[1] / 10)  # a cell is a tenth of the picture wide
        assert 0 < np.abs(np.diff(row, axis=0)).max() <= slope + 2
        assert np.abs(np.diff(row, n=2, axis=0)).max() <= slope / 2 + 1  # no crease: there the slope would jump
        assert hard.min() <= row.min() * unit
        assert row.max() * unit <= hard.max()


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv420p10le", "gbrap"])
@pytest.mark.parametrize("method", list(RedactMethod))
@pytest.mark.parametrize("shape", list(Shape))
def test_a_huge_box_and_a_tiny_one(name: str, method: RedactMethod, shape: Shape) -> None:
    frame = frame_of_noise(2101, 2051, name)
    Redactor(settings_of(method, shape), CLASSES)(
        frame, detections_at((20.5, 10.5, 2020.5, 2010.5), (2090, 2040, 2091, 2041))
    )
    corner = frame.planes[0][2040:2041, 2090:2091]
    assert corner.shape == (1, 1)
    inner = frame.planes[0][300:1700, 300:1700]
    top = (1 << frame.picture.pixel_format.bits) - 1
    assert np.abs(inner - top / 2).max() < (top if method is RedactMethod.solid else 0.02 * top)
