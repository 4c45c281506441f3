"""What is not covered comes out as it went in: samples, frames, times, shape, turn and colour."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from blurscene_stream.errors import BlurSceneError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.sink.video_encoder import VideoEncoder
from tests.pipeline.runs import anonymize, solid
from tests.videos import VideoSpec, make_video, read_video, square_at

LARGEST_MARGIN_PX = 5  # a tenth of the square, and to whole blocks
SHORT = VideoSpec(frames=6, audio=(), colour=True)
Samples = NDArray[np.uint8] | NDArray[np.uint16]


def planes(picture: Any) -> list[Samples]:
    """Copies of the samples of a picture of libav, (height, width); nv12's chroma is one plane of pairs."""
    made: list[Samples] = []
    for number, plane in enumerate(picture.planes):
        wide = plane.width * (2 if picture.format.name == "nv12" and number else 1)
        deep = picture.format.components[0].bits > 8
        samples: Samples = np.frombuffer(memoryview(plane), np.uint16) if deep else np.frombuffer(plane, np.uint8)
        made.append(samples.reshape(-1, plane.line_size // samples.itemsize)[: plane.height, :wide].copy())
    return made


def decoded(path: Path) -> list[list[Samples]]:
    with av.open(str(path)) as container:
        return [planes(frame) for frame in container.decode(video=0)]


def check_cover(before: Sequence[Samples], after: Sequence[Samples], number: int, spec: VideoSpec) -> None:
    """One flat colour over the whole square; beyond its margin every sample of every plane is the same."""
    x0, y0, x1, y1 = square_at(number, spec)
    for old, new in zip(before, after, strict=True):
        assert old.shape == new.shape
        across, down = spec.width / old.shape[1], spec.height / old.shape[0]
        inside = new[round(y0 / down) : round(y1 / down), round(x0 / across) : round(x1 / across)]
        pairs = 2 if across < 1.5 and down > 1.5 else 1  # nv12
        assert len(np.unique(inside[:, ::pairs])) == 1, f"frame {number}: the square shows through"
        rows, columns = np.nonzero(old != new)
        assert len(rows), f"frame {number}: nothing was covered"
        assert y0 - LARGEST_MARGIN_PX <= rows.min() * down and rows.max() * down < y1 + LARGEST_MARGIN_PX
        assert x0 - LARGEST_MARGIN_PX <= columns.min() * across and columns.max() * across < x1 + LARGEST_MARGIN_PX


FORMATS = {  # pixel format -> how a video that decodes to it is made
    "yuv420p": ("rawvideo", "in.mkv"),
    "yuv422p": ("ffv1", "in.mkv"),
    "yuv444p": ("ffv1", "in.mkv"),
    "yuvj420p": ("libx264", "in.mp4"),
    "yuvj422p": ("mjpeg", "in.mkv"),
    "yuvj444p": ("libx264", "in.mkv"),
    "nv12": ("rawvideo", "in.mkv"),
    "yuv420p10le": ("ffv1", "in.mkv"),
    "yuv422p10le": ("ffv1", "in.mkv"),
    "yuv444p10le": ("ffv1", "in.mkv"),
}


ODD = ("yuv420p", "yuv422p", "yuv444p", "yuvj444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")  # codecs that can


@pytest.mark.parametrize(
    ("name", "size"), [*((name, (64, 48)) for name in FORMATS), *((name, (67, 49)) for name in ODD)]
)
def test_samples_outside_the_boxes_reach_the_encoder_as_they_were(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    codec, file = FORMATS[name]
    spec = replace(SHORT, width=size[0], height=size[1], codec=codec, pixel_format=name)
    source = make_video(tmp_path / file, spec)
    reached: list[list[Samples]] = []
    encode = VideoEncoder.encode

    def spy(self: VideoEncoder, frame: RedactedFrame) -> list[Packet[Stream]]:
        reached.append(planes(frame.native))
        assert frame.native.format.name == name
        return encode(self, frame)

    monkeypatch.setattr(VideoEncoder, "encode", spy)
    anonymize(source, tmp_path / "out.mkv", solid())
    for number, (before, after) in enumerate(zip(decoded(source), reached, strict=True)):
        check_cover(before, after, number, spec)
    assert "converted" not in caplog.text


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p"])
def test_a_lossless_output_is_the_input_but_for_the_boxes(name: str, tmp_path: Path) -> None:
    spec = replace(SHORT, codec="libx264", pixel_format=name)
    source = make_video(tmp_path / "in.mkv", spec)
    anonymize(source, tmp_path / "out.mkv", solid())
    for number, (before, after) in enumerate(zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True)):
        check_cover(before, after, number, spec)


CONVERTED = {  # pixel format -> codec, file, the format that loses least
    "bgr0": ("ffv1", "in.mkv", "yuv444p"),
    "rgb24": ("libx264rgb", "in.mp4", "yuv444p"),
    "bgr24": ("rawvideo", "in.avi", "yuv444p"),
    "gray": ("ffv1", "in.mkv", "yuv420p"),
    "gray10le": ("ffv1", "in.mkv", "yuv420p10le"),
    "yuva420p": ("ffv1", "in.mkv", "yuv420p"),
    "yuv410p": ("ffv1", "in.mkv", "yuv420p"),
    "yuv411p": ("ffv1", "in.mkv", "yuv422p"),
    "yuv440p": ("ffv1", "in.mkv", "yuv420p"),
    "yuv422p12le": ("ffv1", "in.mkv", "yuv422p10le"),
    "gbrp10le": ("ffv1", "in.mkv", "yuv444p"),
    "bgr8": ("gif", "in.gif", "yuv444p"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_other_formats_are_converted_with_a_notice(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    codec, file, best = CONVERTED[name]
    spec = replace(SHORT, width=64, height=48, codec=codec, pixel_format=name)
    source = make_video(tmp_path / file, spec)
    with caplog.at_level(logging.WARNING):
        assert anonymize(source, tmp_path / "out.mkv", solid()).frames == spec.frames
    notices = [record.getMessage() for record in caplog.records]
    assert len(notices) == 1, notices
    assert notices[0].startswith(f"{source}: ")
    assert notices[0].endswith(f"pictures are converted to {best}")
    after = read_video(tmp_path / "out.mkv")
    assert after.formats == {best}
    for number, luma in enumerate(after.luma):
        x0, y0, x1, y1 = square_at(number, spec)
        assert luma[y0:y1, x0:x1].max() < 100 << (2 if "10" in best else 0), "the square shows through"


SIZES = {  # what is odd about it -> codec, file, format, width, height, output
    "one frame of one pixel": ("ffv1", "in.mkv", "yuv444p", 1, 1, "out.mkv"),
    "one pixel, chroma shared": ("ffv1", "in.mkv", "yuv420p", 1, 1, "out.mkv"),
    "a column": ("rawvideo", "in.mkv", "yuv420p", 1, 60, "out.mp4"),
    "a row": ("ffv1", "in.mkv", "yuv422p", 90, 1, "out.mp4"),
    "odd, VP9": ("libvpx-vp9", "in.mkv", "yuv420p", 161, 121, "out.mp4"),
    "odd, VP9 twice": ("libvpx-vp9", "in.webm", "yuv420p", 161, 121, "out.webm"),
    "odd, MPEG-4": ("mpeg4", "in.mp4", "yuv420p", 161, 121, "out.mov"),
    "odd height, H.264": ("libx264", "in.mp4", "yuv444p", 160, 121, "out.mov"),
    "very wide": ("ffv1", "in.mkv", "yuv420p", 100_000, 1, "out.mkv"),
    "very high": ("ffv1", "in.mkv", "yuv444p", 2, 16_000, "out.webm"),
}


@pytest.mark.parametrize("what", SIZES)
def test_odd_sizes(what: str, tmp_path: Path) -> None:
    """Either an output of the same size with every frame, or one clear line and nothing left."""
    codec, file, form, width, height, output = SIZES[what]
    spec = VideoSpec(1 if "one" in what else 3, width, height, codec=codec, pixel_format=form, audio=())
    source, target = make_video(tmp_path / file, spec), tmp_path / output
    try:
        anonymize(source, target)
    except BlurSceneError as error:
        assert width * height == 1 or max(width, height) > 10_000, f"refused without need: {error}"
        assert str(target) in str(error)
        assert [path.name for path in tmp_path.iterdir()] == [file]
        return
    after = read_video(target)
    assert [luma.shape for luma in after.luma] == [(height, width)] * spec.frames
    assert after.times == pytest.approx(read_video(source).times, abs=1e-3)


IRREGULAR = (0, 1, 2, 50, 51, 700, 701, 702, 1500, 1501)
TIMES: dict[str, tuple[str, VideoSpec]] = {
    # what the times are like -> file, how it is made
    "irregular, 1/1000": ("in.mkv", VideoSpec(10, times=[40 * t for t in IRREGULAR], time_base=Fraction(1, 1000))),
    "irregular, 1/90000": ("in.mp4", VideoSpec(10, times=[3003 * t for t in IRREGULAR], time_base=Fraction(1, 90_000))),
    "1001/30000": ("in.mp4", VideoSpec(30, rate=30, times=range(30), time_base=Fraction(1001, 30_000))),
    "starts late": ("in.mkv", VideoSpec(10, times=range(250, 260))),
    "starts late, mp4": ("in.mp4", VideoSpec(10, times=range(250, 260))),
    "one picture an hour": ("in.mp4", VideoSpec(3, times=[0, 90_000, 180_000])),
    "B-frames": ("in.mp4", VideoSpec(20, options={"preset": "medium", "bf": "3", "b-adapt": "0"})),
    "B-frames, 1/12800": ("in.mov", VideoSpec(20, options={"bf": "2"}, times=[517 * t for t in range(20)],
                          time_base=Fraction(1, 12_800))),
    "one frame": ("in.mp4", VideoSpec(1)),
}  # fmt: skip


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.ts", "out.webm"])
@pytest.mark.parametrize("what", TIMES)
def test_times_stay_as_they_were(what: str, output: str, tmp_path: Path) -> None:
    file, spec = TIMES[what]
    source = make_video(tmp_path / file, replace(spec, width=64, height=48, audio=()))
    anonymize(source, tmp_path / output)
    before, after = read_video(source).times, read_video(tmp_path / output).times
    if output in ("out.mp4", "out.mov"):
        assert after == before
    elif output == "out.ts":  # has no time below 0: all move by the encoder's delay
        moved = [new - old for new, old in zip(after, before, strict=True)]
        assert max(moved) - min(moved) <= Fraction(1, 90_000)
    else:
        assert after == pytest.approx(before, abs=1e-3)
