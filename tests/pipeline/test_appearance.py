"""Rotation, aspect ratio and colour metadata are those of the input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.pipeline.runs import anonymize, solid
from tests.pipeline.test_exactness import SHORT, check_cover
from tests.videos import make_video, read_video, square_at


@pytest.mark.parametrize("output", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_rotation_is_kept_and_boxes_are_where_they_belong(rotation: int, output: str, tmp_path: Path) -> None:
    spec = replace(SHORT, rotation=rotation)
    source, target = make_video(tmp_path / "in.mp4", spec), tmp_path / output
    anonymize(source, target, solid())
    before, after = read_video(source), read_video(target)
    assert _matrix(source) == _matrix(target)
    assert after.rotation == before.rotation
    for number, (old, new) in enumerate(zip(before.luma, after.luma, strict=True)):
        if output != "out.webm":  # it has no lossless encoder
            check_cover([old], [new], number, spec)
        x0, y0, x1, y1 = square_at(number, spec)
        assert new[y0:y1, x0:x1].max() < 60, "the square shows through"


def _matrix(path: Path) -> bytes | None:
    with av.open(str(path)) as container:
        data = next(container.decode(video=0)).side_data.get("DISPLAYMATRIX")
        return None if data is None else bytes(data)  # type: ignore[call-overload,unused-ignore]


@pytest.mark.parametrize("output", ["out.mp4", "out.mov", "out.mkv", "out.ts", "out.webm"])
def test_pixels_that_are_not_square_stay_so(output: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SHORT, sample_aspect_ratio=Fraction(16, 15)))
    anonymize(source, tmp_path / output)
    with av.open(str(tmp_path / output)) as container:
        kept = container.streams.video[0].sample_aspect_ratio == Fraction(16, 15)
    assert kept or ("has no pixel aspect ratio" in caplog.text and output == "out.webm")


COLOURS = {  # name -> pixel format, range, primaries, transfer, matrix in ffmpeg's numbers
    "nothing told": ("yuv420p", 0, 2, 2, 2),
    "BT.709": ("yuv420p", 1, 1, 1, 1),
    "BT.601, full range": ("yuvj420p", 2, 6, 6, 6),
    "BT.2020, PQ, 10 bit": ("yuv420p10le", 1, 9, 16, 9),
}


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.ts", "out.webm"])
@pytest.mark.parametrize("name", COLOURS)
def test_colours_mean_what_they_meant(name: str, output: str, tmp_path: Path) -> None:
    form, *numbers = COLOURS[name]
    keys = ("color_range", "color_primaries", "color_trc", "colorspace")
    options = {key: str(number) for key, number in zip(keys, numbers, strict=True)}
    source = make_video(tmp_path / "in.mp4", replace(SHORT, pixel_format=form, options=options))
    assert _colour(source) == tuple(numbers)
    anonymize(source, tmp_path / output, solid())
    assert _colour(tmp_path / output) == (1 if output == "out.webm" and not numbers[0] else numbers[0], *numbers[1:])


def _colour(path: Path) -> tuple[int, ...]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return int(frame.color_range), int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)
