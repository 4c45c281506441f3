"""Display matrices in all eight orientations, who may write to planes, and changes of size or pixel format."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from blurscene_stream.address import Address
from blurscene_stream.boxes import Orientation
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import CorruptInputError
from blurscene_stream.frames import PIXEL_FORMATS, Frame
from blurscene_stream.source import open_source
from blurscene_stream.source.frames.frame_factory import Scaler, orientation_from_matrix
from blurscene_stream.source.frames.frame_properties import rgb_matrix
from tests.pipeline.runs import fails
from tests.videos import VideoSpec, make_video

ONE, FIX = 1 << 16, 1 << 30  # 16.16 and 2.30 fixed point, ISO/IEC 14496-12


def matrix(a: int, b: int, c: int, d: int) -> tuple[int, ...]:
    return (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, FIX)


MARK = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)  # a stored picture of 3 x 2
# Turned by n quarters against the clock, as numpy.rot90 does, of the picture or of its mirror image.
# A matrix moves the point (x, y) to (a x + c y, b x + d y), y is down; the picture is then shifted into view.
EIGHT = {
    "upright": (matrix(1, 0, 0, 1), MARK),
    "turned by 90 clockwise": (matrix(0, 1, -1, 0), np.rot90(MARK, -1)),
    "turned by 180": (matrix(-1, 0, 0, -1), np.rot90(MARK, 2)),
    "turned by 270 clockwise": (matrix(0, -1, 1, 0), np.rot90(MARK, 1)),
    "mirrored": (matrix(-1, 0, 0, 1), np.fliplr(MARK)),
    "upside down": (matrix(1, 0, 0, -1), np.flipud(MARK)),
    "transposed": (matrix(0, 1, 1, 0), MARK.T),
    "transposed the other way": (matrix(0, -1, -1, 0), np.rot90(MARK, 2).T),
}


@pytest.mark.parametrize("name", EIGHT)
def test_what_a_matrix_does_to_a_picture(name: str) -> None:
    numbers, expected = EIGHT[name]
    np.testing.assert_array_equal(orientation_from_matrix(numbers).upright(MARK), expected)


@pytest.mark.parametrize("name", EIGHT)
def test_points_go_where_the_matrix_sends_them(name: str) -> None:
    """By the formula, corner by corner, without a picture."""
    (a, b, _, c, d, *_), _ = EIGHT[name]
    rows, columns = MARK.shape
    points = [(x, y) for y in range(rows) for x in range(columns)]
    moved = [((a * x + c * y) // ONE, (b * x + d * y) // ONE) for x, y in points]
    left, top = min(x for x, _ in moved), min(y for _, y in moved)
    upright = orientation_from_matrix(EIGHT[name][0]).upright(MARK)
    for (x, y), (new_x, new_y) in zip(points, moved, strict=True):
        assert upright[new_y - top, new_x - left] == MARK[y, x]


def test_no_matrix_is_upright() -> None:
    assert orientation_from_matrix(None) == Orientation()


def test_turns_by_other_than_quarters_go_to_the_nearest() -> None:
    tilted = (round(0.98 * ONE), round(0.17 * ONE), 0, round(-0.17 * ONE), round(0.98 * ONE), 0, 0, 0, FIX)
    assert orientation_from_matrix(tilted) == Orientation()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_what_libav_calls_a_rotation(rotation: int, suffix: str, tmp_path: Path) -> None:
    """PyAV's frame.rotation is against the clock: the turn that the player makes."""
    source = make_video(tmp_path / f"in.{suffix}", VideoSpec(1, 64, 48, rotation=rotation, audio=()))
    with open_source(Address(str(source)), Settings()) as opened:
        orientation = opened.info.picture.orientation
        frame = next(item for item in opened.items() if isinstance(item, Frame))
    reported = frame.native.rotation
    np.testing.assert_array_equal(orientation.upright(MARK), np.rot90(MARK, reported // 90))
    assert abs(reported) == abs(rotation)


def planes_differ(first: list[Any], later: list[Any]) -> bool:
    return any(not np.array_equal(old, new) for old, new in zip(first, later, strict=True))


def test_writing_into_a_frame_reaches_no_other(tmp_path: Path) -> None:
    """The decoder leans on pictures that it has given away."""
    source = make_video(tmp_path / "in.mp4", VideoSpec(20, 64, 48, audio=(), options={"bf": "3", "refs": "4"}))
    with av.open(str(source)) as container:
        expected = [frame.to_ndarray() for frame in container.decode(video=0)]
    with open_source(Address(str(source)), Settings()) as opened:
        for item in opened.items():
            if isinstance(item, Frame):
                shown = item.native.to_ndarray()
                np.testing.assert_array_equal(shown, expected[item.number])
                with pytest.raises(ValueError, match="read-only"):
                    item.planes[0][:] = 255
                for plane in item.owned().planes:
                    plane[:] = 255
                assert (item.native.to_ndarray() == 255).all()


@pytest.mark.parametrize("what", ["size", "format"])
def test_a_video_that_changes_half_way(what: str, tmp_path: Path) -> None:
    """A transport stream may: what was told to the encoder at the start no longer holds."""
    parts = [VideoSpec(10, 64, 48, audio=()), VideoSpec(10, 96, 48, audio=())]
    if what == "format":
        parts[1] = VideoSpec(10, 64, 48, audio=(), pixel_format="yuv422p")
    source = tmp_path / "in.ts"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
        for place, part in enumerate(parts):
            made = make_video(tmp_path / f"part{place}.ts", part)
            with av.open(str(made)) as opened:
                for packet in opened.demux(video=0):
                    if packet.size:
                        packet.pts, packet.dts = (packet.pts or 0) + place * 90_000, (packet.dts or 0) + place * 90_000
                        packet.stream = stream
                        packet.time_base = Fraction(1, 90_000)
                        container.mux(packet)
    (tmp_path / "out").mkdir()
    message = fails(CorruptInputError, source, tmp_path / "out" / "out.mp4")
    assert "frame 10 is" in message
    assert "cut the file where it changes" in message


@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG], ids=["limited", "full"])
@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_a_detector_sees_the_colours_of_any_video_at_any_size(name: str, color_range: ColorRange) -> None:
    red = np.broadcast_to(np.array([200, 60, 30], np.uint8), (48, 64, 3))
    stored = VideoFrame.from_ndarray(red, format="rgb24").reformat(
        format=name, dst_colorspace=Colorspace.ITU709, dst_color_range=color_range
    )
    scaler = Scaler(rgb_matrix(1, 48))
    for width, height in ((64, 48), (32, 24), (97, 71), (16, 12), (33, 1), (1, 1)):
        shown = scaler(stored, width, height)
        assert shown.shape == (height, width, 3)
        assert np.abs(shown.astype(int) - (200, 60, 30)).max() <= 6
