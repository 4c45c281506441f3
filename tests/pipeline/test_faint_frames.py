"""What shows once the contrast is raised: dark and washed-out frames are scanned with more contrast as well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect import load_detector
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from tests.detectors import RgbSquareDetector
from tests.pipeline.runs import anonymize
from tests.settings import changed
from tests.videos import VideoSpec, make_video, picture, read_video, square_at

FRAMES = 3
Draw = Callable[[int, VideoSpec], NDArray[np.uint8]]
SPEC = VideoSpec(FRAMES, 96, 64, codec="ffv1", audio=())
DEEP = VideoSpec(FRAMES, 96, 64, codec="ffv1", pixel_format="yuv420p10le", audio=())


def washed_out(number: int, spec: VideoSpec) -> NDArray[np.uint8]:
    return (picture(number, spec) // 24 + 150).astype(np.uint8)


def nearly_black_with_a_lamp(number: int, spec: VideoSpec) -> NDArray[np.uint8]:
    made = (picture(number, spec) // 24).astype(np.uint8)
    made[1:5, 1:5] = 150
    return made


def dark_corner(number: int, spec: VideoSpec) -> NDArray[np.uint8]:
    """The square lies in it."""
    made, (x0, y0, x1, y1) = picture(number, spec), square_at(number, spec)
    at = np.s_[max(0, y0 - 16) : y1 + 16, max(0, x0 - 24) : x1 + 24]
    made[at] //= 20
    return made


def flat(_: int, spec: VideoSpec) -> NDArray[np.uint8]:
    return np.full((spec.height, spec.width, 3), 9, np.uint8)


@pytest.mark.parametrize("spec", [SPEC, DEEP], ids=["8 bits", "10 bits"])
@pytest.mark.parametrize("draw", [washed_out, nearly_black_with_a_lamp, dark_corner])
def test_an_object_in_few_levels_is_covered(
    draw: Draw, spec: VideoSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_video(tmp_path / "in.mkv", spec, draw=draw)
    with caplog.at_level(logging.INFO):
        summary = anonymize(source, tmp_path / "out.mkv", detector=RgbSquareDetector())
    assert summary.found == {"license_plate": FRAMES}
    assert caplog.text.count("are scanned with their contrast raised as well") == 1
    for number, (before, after) in enumerate(
        zip(read_video(source).luma, read_video(tmp_path / "out.mkv").luma, strict=True)
    ):
        x0, y0, x1, y1 = square_at(number, spec)
        assert (after[y0:y1, x0:x1] != before[y0:y1, x0:x1]).mean() > 0.5


@pytest.mark.parametrize("draw", [picture, flat])
def test_other_frames_are_scanned_once(draw: Draw, tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", SPEC, draw=draw)
    detector = RgbSquareDetector()
    anonymize(source, tmp_path / "out.mkv", detector=detector)
    assert detector.frame_numbers == [*range(FRAMES)]


def test_faces_in_two_hundredths_of_the_range_are_found(tmp_path: Path, shared: Path) -> None:
    with Image.open(shared / "data" / "faces_photos" / "images" / "dlib_002.jpg") as photo:
        faint = (np.asarray(photo.convert("RGB")) // 51 + 120).astype(np.uint8)
    spec = VideoSpec(1, faint.shape[1], faint.shape[0], codec="ffv1", audio=())
    source = make_video(tmp_path / "in.mkv", spec, draw=lambda _number, _spec: faint)
    settings = changed(Settings(device="cpu"), {"detect.size_px": 640, "detect.variants.scales": [1.0]})
    job = Job(Address(str(source)), Address(str(tmp_path / "out.mkv")))
    summary = anonymize_video(job, settings, Callbacks(), StopToken(), load_detector)
    assert summary.found["face"] >= 2
