"""First appearances: a tracked object is covered by the cells of its first frame in all frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import NO_TRACK, Detections
from blurscene_stream.config.schema import ClassConfig, RedactMethod, Settings, Shape
from blurscene_stream.errors import RedactionError
from blurscene_stream.frames import Frame, Plane
from blurscene_stream.redact import Redactor, cover_regions
from blurscene_stream.redact.first_appearance import (
    MAX_APPEARANCES,
    MAX_UNSEEN_FRAMES,
    AppearanceCache,
    first_appearance,
)
from blurscene_stream.redact.mosaic_grid import MIN_CELL_PX, cell_means, mosaic_grid
from blurscene_stream.redact.plane_views import plane_views
from tests.profiles import examples

from .noise_frames import (
    CLASSES,
    FORMATS,
    Box,
    Mask,
    corners,
    covered_luma,
    detections_at,
    formats,
    frame_of_noise,
    methods,
    on_plane,
    samples_of,
    settings_of,
    shapes,
)

EXAMPLES = examples(150)
WIDTH, HEIGHT = 67, 51
from_means = st.sampled_from([RedactMethod.mosaic, RedactMethod.blur])
tracks = st.integers(NO_TRACK, 2)
films = st.lists(st.lists(st.tuples(tracks, corners), max_size=4), min_size=2, max_size=5)
starts = st.integers(-240, 480).map(lambda eighths: eighths / 8)  # so that moving a box by whole pixels is exact
lengths = st.integers(2, 640).map(lambda eighths: eighths / 8)
placed = st.builds(lambda x, y, width, height: (x, y, x + width, y + height), starts, starts, lengths, lengths)
paths = st.lists(placed, min_size=2, max_size=6)


def area_of(frame: Frame, detections: Detections, settings: Settings) -> Mask:
    """The luma samples that are covered."""
    margin = settings.redact.min_margin_px
    return covered_luma(
        frame.picture, cover_regions(frame.picture, detections, list(settings.classes.values()), margin)
    )


def detections_of(boxes: list[tuple[int, Box]]) -> Detections:
    return detections_at(*(box for _, box in boxes), track_ids=[track for track, _ in boxes])


@EXAMPLES
@given(formats, films, methods, shapes)
def test_nothing_of_an_object_comes_through_after_its_first_frame(
    name: str, film: list[list[tuple[int, Box]]], method: RedactMethod, shape: Shape
) -> None:
    """Whatever is under a track that was covered before may as well be something else; nothing else changes."""
    settings = settings_of(method, shape)
    real, other = Redactor(settings, CLASSES), Redactor(settings, CLASSES)
    known: set[int] = set()
    for number, boxes in enumerate(film):
        frame, changed = (frame_of_noise(WIDTH, HEIGHT, name, number) for _ in range(2))
        before = samples_of(frame)
        detections = detections_of(boxes)
        again = np.array([track in known for track, _ in boxes], bool)
        luma, old = area_of(frame, detections, settings), area_of(frame, detections[again], settings)
        for index, (plane, noise) in enumerate(
            zip(changed.planes, frame_of_noise(WIDTH, HEIGHT, name, 99).planes, strict=True)
        ):
            mask = on_plane(frame, index, old)
            plane[mask] = noise[mask]
        real(frame, detections)
        other(changed, detections)
        for index, (plane, same) in enumerate(zip(frame.planes, changed.planes, strict=True)):
            np.testing.assert_array_equal(plane, same)
            outside = ~on_plane(frame, index, luma)
            np.testing.assert_array_equal(plane[outside], before[index][outside])
        inside = {track for (track, box) in boxes if area_of(frame, detections_at(box), settings).any()}
        known |= inside - {NO_TRACK}


@pytest.mark.parametrize("method", [RedactMethod.mosaic, RedactMethod.blur])
def test_a_new_object_averages_nothing_of_a_known_one_that_it_overlaps(method: RedactMethod) -> None:
    """Though the new one comes earlier in the list: what is under the known one may as well be something else."""
    known, both = [(10.0, 10.0, 50.0, 50.0)], [(30.0, 30.0, 80.0, 70.0), (14.0, 14.0, 54.0, 54.0)]
    pictures = []
    for seed in (5, 6):
        frame, redactor = frame_of_noise(90, 80, seed=4), Redactor(settings_of(method), CLASSES)
        redactor(frame_of_noise(90, 80), detections_at(*known, track_ids=[3]))
        old = area_of(frame, detections_at(both[1]), settings_of(method))
        for index, (plane, noise) in enumerate(
            zip(frame.planes, frame_of_noise(90, 80, seed=seed).planes, strict=True)
        ):
            plane[on_plane(frame, index, old)] = noise[on_plane(frame, index, old)]
        redactor(frame, detections_at(*both, track_ids=[8, 3]))
        pictures.append(frame.planes)
    for plane, same in zip(*pictures, strict=True):
        np.testing.assert_array_equal(plane, same)


@EXAMPLES
@given(formats, paths, shapes, st.integers(1, 6))
def test_a_mosaic_never_shows_more_cells_than_in_the_first_frame(
    name: str, path: list[Box], shape: Shape, cells: int
) -> None:
    """Not even where the ellipse of the first frame left a cell in the clear."""
    settings = settings_of(shape=shape, cells=cells)
    redactor = Redactor(settings, CLASSES)
    first: list[set[bytes]] = []
    for number, box in enumerate(path):
        frame = frame_of_noise(WIDTH, HEIGHT, name, number)
        for region in cover_regions(frame.picture, detections_at(box), list(settings.classes.values()), 2):
            parts = list(plane_views(frame, region.rect))
            first = first or [
                values_in(cell_means(part, mosaic_grid(part, cells, region.longest_px)), np.s_[:, :]) for part in parts
            ]
            redactor(frame, detections_at(box, track_ids=[3]))
            luma = area_of(frame, detections_at(box), settings)
            values = [values_in(plane, on_plane(frame, index, luma)) for index, plane in enumerate(frame.planes)]
            assert all(now <= then for now, then in zip(values, first, strict=True))
            assert all(len(then) <= cells**2 for then in first)
            if shape is Shape.rectangle:
                assert all(len(edges_in(part.samples, axis)) < cells for part in parts for axis in (0, 1))


def values_in(plane: Plane, where: Mask | tuple[slice, slice]) -> set[bytes]:
    settings = np.ascontiguousarray(plane[where])
    return {sample.tobytes() for sample in settings.reshape(-1, *plane.shape[2:])}


def edges_in(part: Plane, axis: int) -> list[int]:
    differs = np.diff(part.astype(np.int64), axis=axis) != 0
    return (np.flatnonzero(differs.any(axis=tuple(other for other in range(part.ndim) if other != axis))) + 1).tolist()


@EXAMPLES
@given(formats, placed, shapes, st.integers(1, 6))
def test_the_first_frame_is_that_of_an_object_without_a_track(name: str, box: Box, shape: Shape, cells: int) -> None:
    """So what tests say of cells there holds here: how few they are, how large, and that they are means."""
    tracked, alone = frame_of_noise(WIDTH, HEIGHT, name), frame_of_noise(WIDTH, HEIGHT, name)
    settings = settings_of(shape=shape, cells=cells)
    Redactor(settings, CLASSES)(tracked, detections_at(box, track_ids=[3]))
    Redactor(settings, CLASSES)(alone, detections_at(box))
    for plane, other in zip(tracked.planes, alone.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


@EXAMPLES
@given(formats, placed)
def test_cells_of_an_object_that_enters_average_no_fewer_samples(name: str, box: Box) -> None:
    """What the border leaves of an object is not cut any finer than the limit, then and later."""
    redactor = Redactor(settings_of(), CLASSES)
    frame = frame_of_noise(WIDTH, HEIGHT, name)
    redactor(frame, detections_at(box, track_ids=[3]))
    for region in cover_regions(frame.picture, detections_at(box), list(settings_of().classes.values()), 2):
        luma = next(plane_views(frame, region.rect))
        for axis, length in enumerate(luma.samples.shape):
            assert (np.diff([0, *edges_in(luma.samples, axis), length]) >= min(MIN_CELL_PX, length)).all()


@EXAMPLES
@given(formats, placed, placed, from_means, shapes)
def test_an_object_takes_its_cells_along_over_the_border(
    name: str, first: Box, later: Box, method: RedactMethod, shape: Shape
) -> None:
    """A small picture shows what a large one around it shows there."""
    settings = settings_of(method, shape)
    small, large = Redactor(settings, CLASSES), Redactor(settings, CLASSES)
    inner = (14 + abs(first[0]) // 8, 14 + abs(first[1]) // 8, WIDTH - 20.0, HEIGHT - 20.0)
    for number, box in enumerate((inner, later)):
        wide = frame_of_noise(WIDTH + 128, HEIGHT + 128, name, number)
        narrow = cut_out(wide, 64)
        x0, y0, x1, y1 = box
        large(wide, detections_at((x0 + 64, y0 + 64, x1 + 64, y1 + 64), track_ids=[3]))
        small(narrow, detections_at(box, track_ids=[3]))
        for plane, other in zip(narrow.planes, cut_out(wide, 64).planes, strict=True):
            off = 0 if method is RedactMethod.mosaic else 1  # sums in another order are rounded otherwise
            np.testing.assert_allclose(plane, other, rtol=0, atol=off)


def cut_out(frame: Frame, margin: int) -> Frame:
    small = frame_of_noise(WIDTH, HEIGHT, frame.picture.pixel_format.name)
    form = frame.picture.pixel_format
    for index, (plane, source) in enumerate(zip(small.planes, frame.planes, strict=True)):
        top, left = (margin >> form.shift_y, margin >> form.shift_x) if index else (margin, margin)
        plane[...] = source[top : top + plane.shape[0], left : left + plane.shape[1]]
    return small


@EXAMPLES
@given(formats, paths)
def test_luma_and_chroma_cells_meet_wherever_they_are_stretched(name: str, path: list[Box]) -> None:
    redactor = Redactor(settings_of(), CLASSES)
    for number, box in enumerate(path):
        frame = frame_of_noise(WIDTH, HEIGHT, name, number)
        redactor(frame, detections_at(box, track_ids=[3]))
        for region in cover_regions(frame.picture, detections_at(box), list(settings_of().classes.values()), 2):
            form = frame.picture.pixel_format
            for view in plane_views(frame, region.rect):
                for axis, shift in enumerate((form.shift_y, form.shift_x)):
                    edges_px = np.array(edges_in(view.samples, axis), int) << (shift if view.plane else 0)
                    assert (edges_px % (1 << shift) == 0).all()


def test_what_lay_outside_at_first_looks_like_the_cell_beside_it() -> None:
    redactor = Redactor(settings_of(margin=0, min_margin_px=0), CLASSES)
    half, whole = frame_of_noise(200, 160), frame_of_noise(200, 160, seed=1)
    redactor(half, detections_at((-60, 20, 60, 140), track_ids=[3]))  # 3 x 6 cells of 20 px
    redactor(whole, detections_at((40, 20, 160, 140), track_ids=[3]))
    np.testing.assert_array_equal(whole.planes[0][20:140, 100:160], half.planes[0][20:140, :60])
    left = whole.planes[0][20:140, 40:101]
    assert (left == left[:, :1]).all()


def test_an_object_that_grows_keeps_its_one_cell() -> None:
    redactor = Redactor(settings_of(margin=0, min_margin_px=0), CLASSES)
    redactor(frame_of_noise(200, 160), detections_at((50, 50, 54, 54), track_ids=[3]))
    large = frame_of_noise(200, 160, seed=1)
    redactor(large, detections_at((20, 20, 180, 140), track_ids=[3]))
    assert all(len(np.unique(plane[10:70, 10:90])) == 1 for plane in large.planes[1:])
    assert len(np.unique(large.planes[0][20:140, 20:180])) == 1


def test_two_boxes_of_a_track_show_the_same_cells() -> None:
    frame = frame_of_noise(200, 160)
    redactor = Redactor(settings_of(margin=0, min_margin_px=0), CLASSES)
    redactor(frame, detections_at((10, 10, 70, 70), (110, 50, 170, 110), track_ids=[3, 3]))
    np.testing.assert_array_equal(frame.planes[0][10:70, 10:70], frame.planes[0][50:110, 110:170])


def test_objects_without_a_track_are_new_in_every_frame() -> None:
    redactor = Redactor(settings_of(), CLASSES)
    for seed in range(3):
        frame, alone = frame_of_noise(90, 80, seed=seed), frame_of_noise(90, 80, seed=seed)
        redactor(frame, detections_at((10, 10, 60, 60), (30, 20, 80, 70)))
        Redactor(settings_of(), CLASSES)(alone, detections_at((10, 10, 60, 60), (30, 20, 80, 70)))
        for plane, other in zip(frame.planes, alone.planes, strict=True):
            np.testing.assert_array_equal(plane, other)


def test_an_appearance_is_cached_over_a_long_gap_and_not_for_ever() -> None:
    redactor = Redactor(settings_of(), CLASSES)
    box, empty = (10.0, 10.0, 60.0, 60.0), frame_of_noise(90, 80)

    def covered_again(seed: int, gap: int) -> Plane:
        for _ in range(gap):
            redactor(empty, Detections.empty(CLASSES))
        frame = frame_of_noise(90, 80, seed=seed)
        redactor(frame, detections_at(box, track_ids=[3]))
        return frame.planes[0][12:58, 12:58].copy()

    first = covered_again(seed=0, gap=0)
    np.testing.assert_array_equal(covered_again(seed=1, gap=MAX_UNSEEN_FRAMES - 1), first)
    np.testing.assert_array_equal(covered_again(seed=2, gap=MAX_UNSEEN_FRAMES - 1), first)
    assert (covered_again(seed=3, gap=MAX_UNSEEN_FRAMES + 1) != first).any()


def test_the_cache_does_not_grow_with_the_length_of_the_video() -> None:
    redactor, frame = Redactor(settings_of(), CLASSES), frame_of_noise(16, 16)
    most = 0
    for track in range(2 * MAX_UNSEEN_FRAMES):
        redactor(frame, detections_at((2, 2, 9, 9), track_ids=[track]))
        most = max(most, len(redactor._appearances))
    assert most == MAX_UNSEEN_FRAMES + 1


def test_the_cache_is_bounded_and_keeps_tracks_of_the_frame() -> None:
    frame, cache = frame_of_noise(16, 16), AppearanceCache()
    [region] = cover_regions(frame.picture, detections_at((2, 2, 9, 9)), [ClassConfig()] * 2, 0)
    first = first_appearance(list(plane_views(frame, region.rect)), region, 6)
    cache.start_frame(frame, ())
    for track in range(MAX_APPEARANCES + 500):
        cache.add(track, first)
    cache.start_frame(frame, range(400))
    assert len(cache) == MAX_APPEARANCES
    assert all(cache.get(track) is first for track in (*range(400), MAX_APPEARANCES + 499))
    assert cache.get(400) is None
    crowd = range(900, MAX_APPEARANCES + 1500)  # more than there is room for, all in one frame
    for _ in range(2):
        cache.start_frame(frame, crowd)
        for track in crowd:
            if cache.get(track) is None:
                cache.add(track, first)
    assert len(cache) == len(crowd)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("method", [RedactMethod.mosaic, RedactMethod.blur])
def test_white_stays_white_and_black_stays_black(name: str, method: RedactMethod) -> None:
    frame = frame_of_noise(50, 50, name)
    top = (1 << frame.picture.pixel_format.bits) - 1
    for value in (0, top):
        redactor = Redactor(settings_of(method), CLASSES)
        for box in ((5, 5, 40, 40), (7, -5, 45, 38)):
            for plane in frame.planes:
                plane[...] = value
            redactor(frame, detections_at(box, track_ids=[3]))
            assert all((plane == value).all() for plane in frame.planes)


def test_planes_that_cannot_be_written_end_the_run() -> None:
    redactor, frame = Redactor(settings_of(), CLASSES), frame_of_noise(90, 80)
    redactor(frame, detections_at((10, 10, 60, 60), track_ids=[3]))
    frame.planes[2].flags.writeable = False
    with pytest.raises(RedactionError, match=r"^frame 7: "):
        redactor(frame, detections_at((10, 10, 60, 60), track_ids=[3]))


@pytest.mark.parametrize("other", [frame_of_noise(90, 82), frame_of_noise(90, 80, "nv12")])
def test_a_track_does_not_go_on_in_another_stream(other: Frame) -> None:
    redactor = Redactor(settings_of(), CLASSES)
    redactor(frame_of_noise(90, 80), detections_at((10, 10, 60, 60)))
    redactor(other, detections_at((10, 10, 60, 60)))  # pictures on their own may be of any shape
    redactor(frame_of_noise(90, 80), detections_at((10, 10, 60, 60), track_ids=[3]))
    with pytest.raises(RedactionError, match=r"^frame 7: .*one stream"):
        redactor(other, detections_at((10, 10, 60, 60), track_ids=[3]))
