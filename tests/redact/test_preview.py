"""Preview: outlines and labels in every pixel format; nothing is covered."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.boxes import UPRIGHT, Detections, Orientation
from blurscene_stream.frames import ColorModel, RedactedFrame
from blurscene_stream.redact import Preview, Redactor
from tests.profiles import examples

from .noise_frames import (
    CLASSES,
    FORMATS,
    Box,
    corners,
    detections_at,
    formats,
    frame_of_noise,
    samples_of,
    settings_of,
)

PREVIEW = Preview(settings_of(), CLASSES)


@examples(200)
@given(
    formats,
    st.tuples(st.integers(1, 300), st.integers(1, 200)),
    st.lists(corners, max_size=4),
    st.integers(0, 5),
    st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()),
)
def test_any_box_in_any_picture_can_be_drawn(
    name: str, size: tuple[int, int], places: list[Box], padding: int, turn: Orientation
) -> None:
    frame = frame_of_noise(*size, name, padding=padding)
    frame = replace(frame, picture=replace(frame.picture, orientation=turn))
    done = PREVIEW(frame, detections_at(*places))
    assert isinstance(done, RedactedFrame)
    assert all(plane.max() < 1 << frame.picture.pixel_format.bits for plane in frame.planes)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_outline_is_seen_in_every_plane_and_hides_nothing_within(name: str) -> None:
    frame = frame_of_noise(640, 480, name)
    form = frame.picture.pixel_format
    deeper = form.bits - 8
    for plane in frame.planes:
        plane[...] = 128 << deeper
    before = samples_of(frame)
    green = {ColorModel.yuv: 145, ColorModel.gbr: 255, ColorModel.gray: 150}[form.color_model]
    PREVIEW(frame, detections_at((200, 150, 400, 350)))
    luma = frame.planes[0] >> deeper
    for edge in (luma[150, 200:400], luma[349, 200:400], luma[150:350, 200], luma[150:350, 399]):
        assert (edge == green).all()
    for index, (plane, old) in enumerate(zip(frame.planes, before, strict=True)):
        shift_x, shift_y = (form.shift_x, form.shift_y) if index else (0, 0)
        inner = np.s_[154 >> shift_y : 346 >> shift_y, 204 >> shift_x : 396 >> shift_x]
        np.testing.assert_array_equal(plane[inner], old[inner])
        assert (plane[150 >> shift_y, 200 >> shift_x : 400 >> shift_x] != old[0, 0]).all()


def test_the_label_has_letters_and_follows_the_score() -> None:
    pictures = []
    for score in (0.31, 0.97):
        frame = frame_of_noise(640, 480)
        one = detections_at((200, 150, 400, 350))
        PREVIEW(frame, Detections(one.xyxy, np.full(1, score, np.float32), one.class_ids, CLASSES))
        pictures.append(frame.planes[0])
    above = np.s_[100:150, 200:300]
    assert (pictures[0][above] == 16).any()  # black letters
    assert (pictures[0][above] == 145).any()  # on green
    differs = np.argwhere(pictures[0] != pictures[1])
    assert len(differs) > 10
    assert (differs.min(axis=0) >= (100, 200)).all()
    assert (differs.max(axis=0) < (150, 330)).all()


def test_classes_have_colours_of_their_own() -> None:
    corner = []
    for label in (0, 1):
        frame = frame_of_noise(640, 480)
        PREVIEW(frame, detections_at((200, 150, 400, 350), class_id=label))
        luma, cb, cr = frame.planes
        corner.append((int(luma[349, 399]), int(cb[174, 199]), int(cr[174, 199])))
    assert corner == [(145, 54, 34), (210, 16, 146)]


def test_the_outline_grows_with_the_picture() -> None:
    widths = []
    for height in (240, 1080, 2160):
        frame = frame_of_noise(400, height, "yuv444p")
        frame.planes[0][...] = 0
        PREVIEW(frame, detections_at((100, 100, 300, 200)))
        widths.append(int((frame.planes[0][150, 100:300] == 145).sum()) // 2)
    assert widths == [2, 4, 6]


def test_a_thin_outline_shows_what_would_be_covered() -> None:
    frame, place = frame_of_noise(400, 240, "yuv444p"), (100, 100, 200, 160)
    frame.planes[0][...] = 0
    PREVIEW(frame, detections_at(place))
    outlined = np.flatnonzero(frame.planes[0][130] == 145)
    covered = frame_of_noise(400, 240, "yuv444p")
    before = covered.planes[0].copy()
    Redactor(settings_of(), CLASSES)(covered, detections_at(place))
    changed = np.flatnonzero((covered.planes[0] != before)[130])
    assert (outlined[0], outlined[-1]) == (changed[0], changed[-1])
    assert outlined[0] < place[0] and outlined[-1] >= place[2]


def test_a_label_fits_at_the_right_and_the_upper_border() -> None:
    frame = frame_of_noise(641, 481)
    frame.planes[0][...] = 0
    PREVIEW(frame, detections_at((620, 3, 700, 60)))
    assert (frame.planes[0][:30, 540:] == 16).any()
    assert frame.planes[0][59, 640] == 145


@pytest.mark.parametrize("turn", [Orientation(*flags) for flags in product((False, True), repeat=3)], ids=str)
def test_what_is_drawn_is_upright_where_the_picture_is(turn: Orientation) -> None:
    seen = []
    for orientation in (UPRIGHT, turn):
        frame = frame_of_noise(480, 480)
        frame = replace(frame, picture=replace(frame.picture, orientation=orientation))
        frame.planes[0][...] = 0
        one = detections_at((200, 150, 400, 350))
        PREVIEW(frame, replace(one, xyxy=orientation.to_stored(one.xyxy, 480, 480)))
        seen.append(orientation.upright(frame.planes[0].astype(np.uint8)))
    np.testing.assert_array_equal(seen[0], seen[1])
