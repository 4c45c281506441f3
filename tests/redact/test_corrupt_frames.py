"""Corrupt frames are covered whole: in every pixel format, by every method, whatever was detected in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.config.schema import RedactMethod
from blurscene_stream.redact import Preview, Redactor
from tests.profiles import examples

from .noise_frames import (
    CLASSES,
    Box,
    corners,
    detections_at,
    formats,
    frame_of_noise,
    methods,
    samples_of,
    settings_of,
    sizes,
)

boxes = st.lists(corners, max_size=3)


@examples(150)
@given(formats, sizes, boxes, methods, st.integers(0, 9))
def test_a_corrupt_frame_shows_36_cells_a_plane(
    name: str, size: tuple[int, int], places: list[Box], method: RedactMethod, padding: int
) -> None:
    """Another picture with the same cells looks the same: that of the means."""
    redactor = Redactor(settings_of(method), CLASSES)
    frame = replace(frame_of_noise(*size, name, padding=padding), corrupt=True)
    done = redactor(frame, detections_at(*places, track_ids=range(len(places))))
    assert done.corrupt
    assert len(done.detections) == len(places)
    if method is not RedactMethod.blur:
        for plane in frame.planes:
            rows, columns = plane.shape[:2]
            flat = plane.reshape(rows, columns, -1)
            steps = [(np.diff(flat.astype(int), axis=axis) != 0).any(axis=(1 - axis, 2)) for axis in (0, 1)]
            assert all(step.sum() <= 5 for step in steps)
    shown = samples_of(frame)
    other = replace(frame_of_noise(*size, name, seed=1), corrupt=True)
    redactor(other, detections_at())
    for one, later in zip(shown, samples_of(other), strict=True):  # it tells no more than the first corrupt one
        assert np.array_equal(one, later)


@given(formats, sizes, methods)
@examples(60)
def test_no_first_appearance_comes_from_a_corrupt_frame(name: str, size: tuple[int, int], method: RedactMethod) -> None:
    """The first appearance of a tracked object is that of its first intact frame."""
    fresh, used = (Redactor(settings_of(method), CLASSES) for _ in range(2))
    used(replace(frame_of_noise(*size, name, seed=1), corrupt=True), detections_at((1, 1, 9, 9), track_ids=[4]))
    results = []
    for redactor in (fresh, used):
        frame = frame_of_noise(*size, name, seed=2)
        assert not redactor(frame, detections_at((1, 1, 9, 9), track_ids=[4])).corrupt
        results.append(samples_of(frame))
    for one, other in zip(*results, strict=True):
        assert np.array_equal(one, other)


@given(formats, st.tuples(st.integers(120, 200), st.integers(100, 160)))
@examples(20)
def test_preview_marks_a_corrupt_frame(name: str, size: tuple[int, int]) -> None:
    plain, marked = frame_of_noise(*size, name), replace(frame_of_noise(*size, name), corrupt=True)
    preview = Preview(settings_of(), CLASSES)
    assert not preview(plain, detections_at()).corrupt
    assert preview(marked, detections_at()).corrupt
    assert len(np.unique(marked.planes[0][0])) == 1  # the frame around all of it
    assert np.array_equal(plain.planes[0][60:-4, 4:-4], marked.planes[0][60:-4, 4:-4])  # and nothing is hidden
