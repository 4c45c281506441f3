"""The redactor changes the covered regions alone, refuses planes and classes that it does not know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import RedactMethod, Shape
from blurscene_stream.errors import ConfigError, RedactionError
from blurscene_stream.frames import ColorModel, Frame, PixelFormat, RedactedFrame
from blurscene_stream.redact import Preview, Redactor, cover_regions
from tests.profiles import examples
from tests.settings import changed

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
    shapes,
    sizes,
)

EXAMPLES = examples(200)
boxes = st.lists(corners, max_size=5)
margins = st.tuples(st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 3))


@EXAMPLES
@given(formats, sizes, boxes, methods, shapes, margins, st.integers(0, 9), st.integers(0, 99))
def test_nothing_outside_the_regions_changes(
    name: str,
    size: tuple[int, int],
    places: list[Box],
    method: RedactMethod,
    shape: Shape,
    margin: tuple[float, int],
    padding: int,
    seed: int,
) -> None:
    frame = frame_of_noise(*size, name, seed, padding)
    owners = [plane.base.copy() for plane in frame.planes if plane.base is not None]
    before = samples_of(frame)
    settings = settings_of(method, shape, *margin)
    detections = detections_at(*places)
    Redactor(settings, CLASSES)(frame, detections)
    luma = covered_luma(
        frame.picture, cover_regions(frame.picture, detections, list(settings.classes.values()), margin[1])
    )
    for index, plane in enumerate(frame.planes):
        mask = on_plane(frame, index, luma)
        np.testing.assert_array_equal(plane[~mask], before[index][~mask])
    for plane, owner in zip(frame.planes, owners, strict=False):
        assert plane.base is not None
        plane.base[: plane.shape[0], : plane.shape[1]] = owner[: plane.shape[0], : plane.shape[1]] = 0
        np.testing.assert_array_equal(plane.base, owner)  # the memory after a row and after the last row


@EXAMPLES
@given(formats, sizes, boxes, shapes, margins, st.sampled_from([0, 16, 235, 255]))
def test_solid_is_one_colour_everywhere_in_the_regions(
    name: str, size: tuple[int, int], places: list[Box], shape: Shape, margin: tuple[float, int], grey: int
) -> None:
    frame = frame_of_noise(*size, name)
    settings = settings_of(RedactMethod.solid, shape, *margin, solid_luma=grey)
    Redactor(settings, CLASSES)(frame, detections_at(*places))
    regions = cover_regions(frame.picture, detections_at(*places), list(settings.classes.values()), margin[1])
    for index, plane in enumerate(frame.planes):
        mask = on_plane(frame, index, covered_luma(frame.picture, regions))
        assert (plane[mask] == solid_sample(frame.picture.pixel_format, index, grey)).all()


def solid_sample(form: PixelFormat, plane: int, grey: int) -> int:
    """A grey without colour, opaque; in full range black stays black and white stays white."""
    if form.color_model is ColorModel.yuv:
        return (128 if plane else grey) << (form.bits - 8)
    top = (1 << form.bits) - 1
    return top if form.alpha and plane == form.plane_count - 1 else {0: 0, 16: 0, 235: top, 255: top}[grey]


@EXAMPLES
@given(formats, sizes, boxes, shapes, margins)
def test_luma_and_chroma_are_covered_alike(
    name: str, size: tuple[int, int], places: list[Box], shape: Shape, margin: tuple[float, int]
) -> None:
    top = (1 << FORMATS[name].bits) - 1
    frame = frame_of_noise(*size, name, low=top // 2 + 2)  # no sample is black or colourless
    for plane in frame.planes:
        plane[plane == top] -= 1  # nor opaque
    before = samples_of(frame)
    Redactor(settings_of(RedactMethod.solid, shape, *margin), CLASSES)(frame, detections_at(*places))
    changed = frame.planes[0] != before[0]
    for index in range(1, len(frame.planes)):
        differs = frame.planes[index] != before[index]
        differs = differs.all(axis=2) if differs.ndim == 3 else differs
        np.testing.assert_array_equal(differs, on_plane(frame, index, changed))
        form = frame.picture.pixel_format
        wide = differs.repeat(1 << form.shift_y, axis=0).repeat(1 << form.shift_x, axis=1)
        np.testing.assert_array_equal(wide[: size[1], : size[0]], changed)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("method", list(RedactMethod))
@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (33, 17), (64, 48)])
def test_a_box_over_everything_leaves_nothing(
    name: str, method: RedactMethod, shape: Shape, size: tuple[int, int]
) -> None:
    frame = frame_of_noise(*size, name, low=40)
    noise = samples_of(frame_of_noise(*size, name, seed=1, low=40))
    for plane, other in zip(frame.planes, noise, strict=True):
        plane[...] = other // 4 * 4 + 1  # never a multiple of MEAN_STEP, as everything that covers is, blur aside
    before = samples_of(frame)
    Redactor(settings_of(method, shape), CLASSES)(frame, detections_at((0, 0, *size)))
    for plane, old in zip(frame.planes, before, strict=True):
        if method is not RedactMethod.blur:
            assert (plane != old).all()
        assert plane.max() < 1 << frame.picture.pixel_format.bits


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("method", list(RedactMethod))
def test_the_brightest_picture_stays_within_its_bits(name: str, method: RedactMethod) -> None:
    frame = frame_of_noise(50, 50, name)
    top = (1 << frame.picture.pixel_format.bits) - 1
    for plane in frame.planes:
        plane[...] = top
    Redactor(settings_of(method), CLASSES)(frame, detections_at((5, 5, 40, 40)))
    assert all(plane.max() <= top for plane in frame.planes)
    if method is not RedactMethod.solid:
        assert all(plane.min() == top for plane in frame.planes)  # white stays white


def test_the_same_picture_is_redacted_the_same_way_wherever_the_box_lies() -> None:
    one, other = frame_of_noise(90, 80, seed=3), frame_of_noise(90, 80, seed=4)
    for source, target, step in zip(one.planes, other.planes, (8, 4, 4), strict=True):
        target[step:, step:] = source[:-step, :-step]
    Redactor(settings_of(), CLASSES)(one, detections_at((10.3, 11.7, 40.1, 59.5)))
    Redactor(settings_of(), CLASSES)(other, detections_at((18.3, 19.7, 48.1, 67.5)))
    for source, target, step in zip(one.planes, other.planes, (8, 4, 4), strict=True):
        np.testing.assert_array_equal(target[step:, step:], source[:-step, :-step])


def test_the_redacted_frame_has_the_number_pts_and_detections_of_the_frame() -> None:
    frame, detections = frame_of_noise(40, 40), detections_at((5, 5, 9, 9))
    done = Redactor(settings_of(), CLASSES)(frame, detections)
    assert isinstance(done, RedactedFrame)
    assert (done.number, done.pts, done.native) == (frame.number, frame.pts, frame.native)
    assert done.detections is detections


def test_a_class_without_settings_is_refused() -> None:
    for maker in (Redactor, Preview):
        with pytest.raises(ConfigError, match=r"classes\.tram.*face, license_plate"):
            maker(settings_of(), ("face", "tram"))


def test_class_ids_follow_the_order_of_the_class_names() -> None:
    settings = settings_of(min_margin_px=0, method=RedactMethod.solid)
    settings = changed(settings, {"classes.face.margin": 0.0, "classes.license_plate.margin": 1.0})
    frame = frame_of_noise(40, 40, "yuv444p", low=100)
    turned = ("license_plate", "face")
    one = Detections(np.array([[10, 10, 20, 20]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), turned)
    Redactor(settings, turned)(frame, one)
    assert (frame.planes[0] == 16).sum() == 30 * 30


@pytest.mark.parametrize("maker", [Redactor, Preview])
def test_detections_of_other_classes_are_refused(maker: type[Redactor | Preview]) -> None:
    frame = frame_of_noise(40, 40)
    other = Detections.empty(("license_plate", "face"))
    with pytest.raises(RedactionError, match=r"frame 7: .*expected \('face', 'license_plate'\)"):
        maker(settings_of(), CLASSES)(frame, other)


@pytest.mark.parametrize("maker", [Redactor, Preview])
@pytest.mark.parametrize("fault", ["size", "order", "missing", "dtype", "read-only"])
def test_planes_that_are_not_what_they_should_be_are_refused(maker: type[Redactor | Preview], fault: str) -> None:
    good = frame_of_noise(40, 30)
    luma, *chromas = good.planes
    bad = {
        "size": (luma[:, :-1], *chromas),
        "order": (*chromas, luma),
        "missing": (luma,),
        "dtype": (luma.astype(np.uint16), *chromas),
        "read-only": (luma, *(chroma.copy() for chroma in chromas)),
    }[fault]
    if fault == "read-only":
        bad[1].flags.writeable = False
    frame = Frame(7, 0, good.picture, bad, good.scale_rgb, None)
    with pytest.raises(RedactionError, match=r"^frame 7: ") as caught:
        maker(settings_of(), CLASSES)(frame, detections_at((5, 5, 9, 9)))
    assert "\n" not in str(caught.value)
