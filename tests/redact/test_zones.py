"""Polygon zones: which objects are covered, what is covered in every frame, and how preview draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blurscene_stream.boxes import Orientation
from blurscene_stream.config.areas import parse_polygon
from blurscene_stream.config.schema import AreasConfig, RedactMethod, Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame, PictureInfo
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.redact.plane_views import plane_views
from blurscene_stream.redact.regions import Region
from blurscene_stream.redact.zones import Mask, Zones, inner_pixels, to_stored, touched_pixels
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
    methods,
    on_plane,
    samples_of,
    settings_of,
)

WIDTH, HEIGHT = 67, 53
PICTURE = PictureInfo(WIDTH, HEIGHT, FORMATS["yuv420p"])

places = st.tuples(st.integers(0, WIDTH * 4 - 4), st.integers(0, HEIGHT * 4 - 4)).map(lambda at: (at[0] / 4, at[1] / 4))


def is_polygon(text: str) -> bool:
    try:
        zone = parse_polygon(text)
    except ValueError:
        return False
    return not zone.in_shares


texts = (
    st.lists(places, min_size=2, max_size=6)
    .map(lambda points: " ".join(f"{x},{y}" for x, y in points))
    .filter(is_polygon)
)
pixel_boxes = st.tuples(places, st.integers(1, 3), st.integers(1, 3)).map(
    lambda box: (box[0][0], box[0][1], box[0][0] + box[1], box[0][1] + box[2])
)
boxes = st.lists(corners | pixel_boxes, max_size=6)


def with_zones(settings: Settings, **zones: list[str]) -> Settings:
    return replace(settings, areas=AreasConfig(**zones))


def pixels_of(box: Box) -> Mask:
    """The pixels that a box has a part of, one at least: those of the border for a box beyond it."""
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    columns, rows = np.arange(WIDTH), np.arange(HEIGHT)
    across = (columns + 1 > np.clip(x0, 0, WIDTH - 1)) & (columns < x1)
    down = (rows + 1 > np.clip(y0, 0, HEIGHT - 1)) & (rows < y1)
    across[int(np.clip(np.floor(x0), 0, WIDTH - 1))] = True
    down[int(np.clip(np.floor(y0), 0, HEIGHT - 1))] = True
    return np.asarray(down[:, None] & across)


def masks(zones: list[str]) -> list[Mask]:
    return [touched_pixels(to_stored(parse_polygon(text), PICTURE), WIDTH, HEIGHT) for text in zones]


@given(st.lists(texts, min_size=1, max_size=3), boxes)
def test_roi_keeps_what_has_a_pixel_in_it_and_drops_the_rest(zones: list[str], placed: list[Box]) -> None:
    whole = np.logical_or.reduce(masks(zones))
    kept = Zones(AreasConfig(roi=zones)).filter(PICTURE, detections_at(*placed))
    expected = [box for box in placed if (pixels_of(box) & whole).any()]
    np.testing.assert_array_equal(kept.xyxy, detections_at(*expected).xyxy)


@given(st.lists(texts, min_size=1, max_size=3), boxes)
def test_exclude_drops_what_lies_wholly_inside_and_keeps_what_sticks_out_by_a_pixel(
    zones: list[str], placed: list[Box]
) -> None:
    whole = np.logical_or.reduce(
        [inner_pixels(to_stored(parse_polygon(text), PICTURE), WIDTH, HEIGHT) for text in zones]
    )
    kept = Zones(AreasConfig(exclude=zones)).filter(PICTURE, detections_at(*placed))
    expected = [box for box in placed if (pixels_of(box) & ~whole).any()]
    np.testing.assert_array_equal(kept.xyxy, detections_at(*expected).xyxy)


@pytest.mark.parametrize(
    ("box", "is_kept"),
    [
        ((20, 10, 40, 30), False),
        ((20.5, 10.5, 39.5, 29.5), False),
        ((19.99, 10, 40, 30), True),
        ((20, 10, 40.01, 30), True),
        ((20, 9, 40, 30), True),
        ((20, 10, 40, 30.01), True),
        ((30, 30, 30, 30), True),  # without area, on the first row outside
        ((40, 30, 20, 10), False),  # turned inside out
        ((0, 0, 60, 50), True),
    ],
)
def test_a_box_that_reaches_out_of_exclude_is_covered(box: Box, is_kept: bool) -> None:
    for zones in (["20,10 40,30"], ["20,10 30,30", "30,10 40,30"], ["20,10 40,10 40,30 20,30"]):
        assert len(Zones(AreasConfig(exclude=zones)).filter(PICTURE, detections_at(box))) == is_kept


@pytest.mark.parametrize(
    ("zone", "box", "is_kept"),
    [
        ("20.5,10 40,30", (20.5, 10, 40, 30), True),  # the first column is not wholly inside
        ("20.5,10 40,30", (21, 10, 40, 30), False),
        ("20,10 40,30.75", (20, 10, 40, 30.5), True),
        ("10,10 50,10 10,50", (10, 10, 30, 30), False),
        ("10,10 50,10 10,50", (10, 10, 31, 30), True),  # the slanted edge cuts its last pixel
        ("10,10 50,10 50,40 40,40 40,20 20,20 20,40 10,40", (12, 12, 48, 30), True),  # over the hollow
    ],
)
def test_pixels_on_the_edge_of_exclude_are_not_inside(zone: str, box: Box, is_kept: bool) -> None:
    assert len(Zones(AreasConfig(exclude=[zone])).filter(PICTURE, detections_at(box))) == is_kept


def test_of_a_box_over_the_border_counts_what_is_in_the_picture() -> None:
    leaving = detections_at((-15, 12, 9, 20), (60, 40, 80, 70), (-1e30, -1e30, 1e30, 1e30))
    excluded = Zones(AreasConfig(exclude=["0,10 10,25", "58,39 67,53"])).filter(PICTURE, leaving)
    np.testing.assert_array_equal(excluded.xyxy, leaving.xyxy[2:])
    gone = detections_at((-30, 12, -20, 20))
    assert len(Zones(AreasConfig(roi=["0,10 10,25"])).filter(PICTURE, gone)) == 1  # its margin may reach in


def test_a_zone_that_is_excluded_and_of_interest_is_excluded() -> None:
    zones = Zones(AreasConfig(roi=["0,0 30,53"], exclude=["0,0 15,53"]))
    kept = zones.filter(PICTURE, detections_at((2, 2, 9, 9), (10, 2, 20, 9), (29, 2, 40, 9), (31, 2, 40, 9)))
    np.testing.assert_array_equal(kept.xyxy[:, 0], [10, 29])


def test_boxes_keep_what_is_known_of_them() -> None:
    both = detections_at((2, 2, 9, 9), (40, 2, 50, 9), track_ids=[5, 8])
    kept = Zones(AreasConfig(exclude=["0,0 20,53"])).filter(PICTURE, both)
    assert kept.track_ids.tolist() == [8]


@pytest.mark.parametrize("method", list(RedactMethod))
def test_only_what_was_covered_is_reported_and_the_rest_stays(method: RedactMethod) -> None:
    frame = frame_of_noise(WIDTH, HEIGHT)
    before = samples_of(frame)
    settings = with_zones(settings_of(method), exclude=["0,0 30,53"])
    done = Redactor(settings, CLASSES)(frame, detections_at((4, 4, 20, 20), (40, 10, 60, 30)))
    np.testing.assert_array_equal(done.detections.xyxy, [[40, 10, 60, 30]])
    for plane, old in zip(frame.planes, before, strict=True):
        half = plane.shape[1] // 2
        np.testing.assert_array_equal(plane[:, :half], old[:, :half])
        assert (plane != old).any()


@examples(100)
@given(formats, st.lists(texts, min_size=1, max_size=3), methods, st.integers(0, 99), st.booleans())
def test_always_covers_every_sample_of_its_blocks_and_nothing_else(
    name: str, zones: list[str], method: RedactMethod, seed: int, still: bool
) -> None:
    frame = frame_of_noise(WIDTH, HEIGHT, name, seed)
    before = samples_of(frame)
    settings = with_zones(settings_of(method), always=zones)
    redactor = Redactor(settings, CLASSES, still)
    regions = redactor.regions(frame.picture, detections_at())
    luma = covered_luma(frame.picture, regions)
    assert (luma >= np.logical_or.reduce(masks(zones))).all()
    assert len(redactor(frame, detections_at()).detections) == 0
    shown = samples_of(frame)
    for index, (plane, old) in enumerate(zip(shown, before, strict=True)):
        chosen_samples = on_plane(frame, index, luma)
        np.testing.assert_array_equal(plane[~chosen_samples], old[~chosen_samples])
    # What is seen there follows from the cells: nothing of a sample is left but its part in a mean.
    assert_made_of_cells(frame, regions, settings)


def assert_made_of_cells(frame: Frame, regions: list[Region], settings: Settings) -> None:
    """Each zone that no later one lies over has at most cells x cells values in each plane, one of them if solid."""
    if settings.redact.method is RedactMethod.blur:
        return  # made from the same means; tests/redact/test_covers.py
    most = 1 if settings.redact.method is RedactMethod.solid else settings.redact.cells**2
    region = regions[-1]
    for view in plane_views(frame, region.rect):
        mask = covered_luma(frame.picture, [region])
        own = on_plane(frame, view.plane, mask)
        values = frame.planes[view.plane][own]
        assert len(np.unique(values, axis=0)) <= most


def test_a_zone_is_covered_as_an_object_that_fills_it_is() -> None:
    """The same cells, or the same colour, as for a box of that size without margin."""
    for method in RedactMethod:
        settings = settings_of(method, margin=0, min_margin_px=0)
        one, other = frame_of_noise(WIDTH, HEIGHT), frame_of_noise(WIDTH, HEIGHT)
        Redactor(settings, CLASSES)(one, detections_at((10, 12, 50, 40), track_ids=[3]))
        Redactor(with_zones(settings, always=["10,12 50,40"]), CLASSES)(other, detections_at())
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize("method", [RedactMethod.mosaic, RedactMethod.blur])
def test_a_zone_tells_no_more_of_later_frames_than_of_the_first(method: RedactMethod) -> None:
    settings = with_zones(settings_of(method), always=["10,12 50,12 50,40"])
    redactor = Redactor(settings, CLASSES)
    shown = []
    for seed in range(3):
        frame = frame_of_noise(WIDTH, HEIGHT, seed=seed)
        luma = covered_luma(frame.picture, redactor.regions(frame.picture, detections_at()))
        redactor(frame, detections_at())
        shown.append(frame.planes[0][luma])
    np.testing.assert_array_equal(shown[0], shown[1])
    np.testing.assert_array_equal(shown[0], shown[2])


def test_a_picture_is_not_covered_with_what_the_one_before_it_showed() -> None:
    redactor = Redactor(with_zones(settings_of(), always=["0.1,0.1 0.9,0.9"]), CLASSES, still=True)
    for size, level in (((60, 40), 200), ((60, 40), 60), ((31, 77), 120)):
        frame = frame_of_noise(*size)
        frame.planes[0][...] = level
        redactor(frame, detections_at())
        assert (frame.planes[0] == level).all()


@examples(60)
@given(texts, boxes, st.sampled_from([RedactMethod.mosaic, RedactMethod.blur]), st.integers(0, 9), st.booleans())
def test_no_object_shows_anything_of_a_zone_that_was_covered_before(
    zone: str, placed: list[Box], method: RedactMethod, seed: int, tracked: bool
) -> None:
    """Whatever lies in the zone in a later frame, the frame that is shown is the same."""
    shown = []
    for later_seed in (seed + 1, seed + 2):
        redactor = Redactor(with_zones(settings_of(method), always=[zone]), CLASSES)
        redactor(frame_of_noise(WIDTH, HEIGHT, seed=seed), detections_at())
        frame, other = frame_of_noise(WIDTH, HEIGHT, seed=seed), frame_of_noise(WIDTH, HEIGHT, seed=later_seed)
        luma = covered_luma(frame.picture, redactor.regions(frame.picture, detections_at()))
        for index, (plane, samples) in enumerate(zip(frame.planes, other.planes, strict=True)):
            within = on_plane(frame, index, luma)
            plane[within] = samples[within]
        redactor(frame, detections_at(*placed, track_ids=range(len(placed)) if tracked else ()))
        shown.append(samples_of(frame))
    for one, other_plane in zip(*shown, strict=True):
        np.testing.assert_array_equal(one, other_plane)


@pytest.mark.parametrize("kind", ["roi", "exclude", "always"])
@pytest.mark.parametrize("maker", [Redactor, Preview])
def test_a_zone_outside_the_picture_is_refused(kind: str, maker: type[Redactor] | type[Preview]) -> None:
    settings = with_zones(settings_of(), **{kind: ["0,0 19,9", f"{WIDTH},0 90,20"]})
    frame = frame_of_noise(WIDTH, HEIGHT)
    with pytest.raises(ConfigError) as caught:
        maker(settings, CLASSES)(frame, detections_at())
    assert str(caught.value) == (
        f"areas.{kind}: '67,0 90,20' lies outside the upright picture of 67x53 pixels; "
        "give other corners, or fractions of the picture, 0..1"
    )


def test_outside_is_judged_on_the_picture_as_it_is_seen() -> None:
    turned = replace(PICTURE, orientation=Orientation(transposed=True))
    zones = Zones(AreasConfig(always=["0,60 20,66"]))
    assert zones.regions(turned)["always"][0].rect == (60, 0, 66, 20)
    with pytest.raises(ConfigError, match="upright picture of 67x53 pixels"):
        zones.regions(PICTURE)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_preview_draws_zones_thinly_and_only_boxes_that_would_be_covered(name: str) -> None:
    settings = with_zones(settings_of(), roi=["200,150 400,350"], exclude=["220,160 300,300"])
    frame, plain = frame_of_noise(640, 480, name), frame_of_noise(640, 480, name)
    hidden = detections_at((10, 300, 60, 400), (230, 200, 250, 220))
    done = Preview(settings, CLASSES)(frame, hidden)
    assert len(done.detections) == 0
    differs = (frame.planes[0] != plain.planes[0]).reshape(480, 640)
    assert differs[150, 200:400].mean() > 0.9
    assert not differs[:, :196].any()
    assert not differs[200:220, 230:250].any()
    step = 1 << frame.picture.pixel_format.shift_x
    assert not differs[200:290, 302:398].any()
    assert not differs[200:300, 200 + step : 218].any()
    once_more = Preview(settings, CLASSES)(frame_of_noise(640, 480, name), detections_at((320, 200, 350, 260)))
    assert len(once_more.detections) == 1


@given(formats, st.lists(texts, max_size=2), st.lists(texts, max_size=2), st.lists(texts, max_size=2), boxes)
def test_any_zones_can_be_drawn_and_heeded(
    name: str, roi: list[str], exclude: list[str], always: list[str], placed: list[Box]
) -> None:
    assume(roi or exclude or always)
    settings = with_zones(settings_of(), roi=roi, exclude=exclude, always=always)
    drawn = Preview(settings, CLASSES)(frame_of_noise(WIDTH, HEIGHT, name), detections_at(*placed))
    covered = Redactor(settings, CLASSES)(frame_of_noise(WIDTH, HEIGHT, name), detections_at(*placed))
    np.testing.assert_array_equal(drawn.detections.xyxy, covered.detections.xyxy)
