"""Areas on real files: in place whatever way the picture is turned, told at the start, refused in one line."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import AreasConfig, RedactMethod, Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.pipeline import Job, StopToken, anonymize_video
from blurscene_stream.pipeline.image import ImageAnonymizer
from tests import pictures
from tests.detectors import SquareDetector
from tests.pictures import exif_of, file_of, read_back, samples_of
from tests.pipeline.runs import NO_CALLBACKS, anonymize, fails, solid
from tests.settings import changed
from tests.videos import VideoSpec, make_video, read_video, square_at

SPEC = VideoSpec(frames=12, audio=())
SEEN_AT = {  # rotation -> where the upper left 40 x 24 stored pixels of 160 x 120 are seen, in pixels and as corners
    0: "0,0 40,24",
    90: "0,120 24,160",  # turned a quarter to the left
    180: "120,96 160,120",
    270: "96,0 120,40",
}


def with_areas(**areas: list[str]) -> Settings:
    return replace(solid(), areas=AreasConfig(**areas))


@pytest.mark.parametrize("rotation", SEEN_AT)
def test_always_covers_what_is_seen_there_in_every_frame(rotation: int, tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SPEC, rotation=rotation))
    anonymize(source, tmp_path / "out.mp4", with_areas(always=[SEEN_AT[rotation]]))
    after = read_video(tmp_path / "out.mp4")
    assert after.rotation == read_video(source).rotation
    for old, new in zip(read_video(source).luma, after.luma, strict=True):
        assert (new[:24, :40] == 16).all()
        assert (new[:24, 40:] == old[:24, 40:]).all()
        assert (new[24:36] == old[24:36]).all()


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("track", [True, False])
def test_what_leaves_an_excluded_area_is_covered_from_the_first_pixel(
    rotation: int, track: bool, tmp_path: Path
) -> None:
    """The square walks to the right, 4 pixels a frame, and sticks out of the left 60 columns from frame 10 on."""
    spec = replace(SPEC, frames=16, rotation=rotation)
    settings = changed(
        with_areas(exclude=["0,0 60,120" if rotation == 0 else "0,100 120,160"]), {"track.enabled": track}
    )
    source = make_video(tmp_path / "in.mp4", spec)
    reported: list[Detections] = []
    callbacks = replace(NO_CALLBACKS, on_frame=lambda frame: reported.append(frame.detections))
    summary = anonymize(source, tmp_path / "out.mp4", settings, callbacks=callbacks)
    originals = read_video(source).luma
    for number, (old, new) in enumerate(zip(originals, read_video(tmp_path / "out.mp4").luma, strict=True)):
        x0, y0, x1, y1 = square_at(number, spec)
        if x1 <= 60:
            assert (new == old).all()
        else:
            assert (new[y0:y1, x0:x1] == 16).all()
        assert len(reported[number]) == (x1 > 60)
    assert summary.found.total() == sum(map(len, reported)) == sum(square_at(n, spec)[2] > 60 for n in range(16))


def test_roi_covers_what_touches_it_and_nothing_else(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SPEC, frames=30))
    anonymize(source, tmp_path / "out.mp4", with_areas(roi=["0.5,0 0.75,1"]))
    for number, new in enumerate(read_video(tmp_path / "out.mp4").luma):
        x0, y0, x1, y1 = square_at(number, SPEC)
        assert set(np.unique(new[y0:y1, x0:x1])) <= ({16} if x1 > 80 and x0 < 120 else {218, 219})


def test_pixels_that_are_not_square_are_counted_as_they_are_seen(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SPEC, sample_aspect_ratio=Fraction(2)))
    anonymize(source, tmp_path / "out.mp4", with_areas(always=["200,0 320,20"]))  # seen are 320 x 120
    for old, new in zip(read_video(source).luma, read_video(tmp_path / "out.mp4").luma, strict=True):
        assert (new[:20, 100:] == 16).all()
        assert (new[:20, :100] == old[:20, :100]).all()


@pytest.mark.parametrize("kind", ["roi", "exclude", "always"])
def test_an_area_outside_the_picture_ends_the_run(kind: str, walker: Path, tmp_path: Path) -> None:
    message = fails(ConfigError, walker, tmp_path / "out.mp4", with_areas(**{kind: ["300,0 400,50"]}))
    assert message == (
        f"{walker}: areas.{kind}: '300,0 400,50' lies outside the upright picture of 160x120 pixels; "
        "give other corners, or fractions of the picture, 0..1"
    )


def test_the_start_tells_that_not_everything_is_hidden(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    anonymize(walker, tmp_path / "plain.mp4")
    assert "areas" not in caplog.text
    areas = with_areas(roi=["0,0 1,1"], exclude=["0,0 15,5", "0,9 9,20"], always=["0,0 .5,.5"])
    anonymize(walker, tmp_path / "out.mp4", areas)
    assert caplog.messages[-1] == (
        "only what touches areas.roi (1) is hidden, NOTHING elsewhere; what lies inside areas.exclude (2) is NOT "
        "hidden; areas.always (1) is covered in every frame"
    )
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_a_preview_shows_areas_and_only_boxes_that_would_be_covered(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", SPEC)
    settings = with_areas(exclude=["0,0 80,120"])  # the square is in it in all frames
    job = Job(Address(str(source)), Address(str(tmp_path / "out.mp4")), preview=True)
    summary = anonymize_video(job, settings, NO_CALLBACKS, StopToken(), SquareDetector().load)
    assert summary.found.total() == 0
    for number, new in enumerate(read_video(tmp_path / "out_NOT_ANONYMIZED.mp4").luma):
        x0, y0, x1, y1 = square_at(number, SPEC)
        assert (new[y0:y1, max(x0, 2) : x1] > 200).all()  # no outline but that of the area, at the left border
        assert len(np.unique(new[30:, 79])) == 1  # the right edge of the area


@pytest.mark.parametrize("orientation", range(1, 9))
def test_areas_of_a_picture_lie_where_it_is_seen(orientation: int) -> None:
    settings = changed(
        replace(Settings(), areas=AreasConfig(always=["4,30 24,50"], exclude=["40,4 70,24"])),
        {"redact.method": RedactMethod.solid},
    )
    upright = samples_of(3)
    stored = pictures.turned(upright, orientation)
    data = file_of(stored, "png", exif=exif_of(orientation))
    done = ImageAnonymizer(settings, SquareDetector()).anonymize(data, "png")
    after = read_back(done.data)
    assert len(done.detections) == 0
    expected = upright.copy()
    expected[30:50, 4:24] = 0
    np.testing.assert_array_equal(after, expected)


def test_a_picture_too_small_for_an_area_is_refused() -> None:
    settings = replace(Settings(), areas=AreasConfig(always=["90,0 99,9"]))
    with pytest.raises(ConfigError, match=r"^areas\.always: '90,0 99,9' lies outside the upright picture of 80x60"):
        ImageAnonymizer(settings, SquareDetector()).anonymize(file_of(samples_of(3), "png"), "png")
