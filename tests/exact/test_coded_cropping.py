"""Pictures of which the bitstream shows a part (H.264, 7.4.2.1.1; H.265, 7.4.3.2.1): that part comes out, no more."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from tests.pipeline.runs import anonymize, solid
from tests.settings import changed as with_settings
from tests.videos import VideoSpec, make_video, read_video

WIDTH, HEIGHT = 128, 96
LOSSLESS = {"libx264": {"qp": "0"}, "libx265": {"x265-params": "lossless=1:log-level=error"}}


def cropped(source: Path, target: Path, left: int, right: int, top: int, bottom: int) -> Path:
    """Copy a video without decoding it, so that so many rows and columns are not shown."""
    crop = f"crop_left={left}:crop_right={right}:crop_top={top}:crop_bottom={bottom}"
    with av.open(str(source)) as whole, av.open(str(target), "w") as part:
        stream = whole.streams.video[0]
        copied = part.add_stream_from_template(stream)
        rewrite = BitStreamFilterContext(f"{stream.codec_context.name}_metadata={crop}", stream, copied)
        for packet in whole.demux(stream):
            for changed in rewrite.filter(packet if packet.size else None):
                changed.stream = copied
                part.mux(changed)
    return target


@pytest.mark.parametrize("sides", [(6, 0, 0, 0), (0, 10, 0, 0), (0, 0, 6, 0), (0, 0, 0, 2), (14, 4, 2, 10)])
@pytest.mark.parametrize(("codec", "ending"), [("libx264", "mp4"), ("libx265", "mkv")])
def test_what_is_shown_comes_out(codec: str, ending: str, sides: tuple[int, ...], tmp_path: Path) -> None:
    left, right, top, bottom = sides
    spec = VideoSpec(3, WIDTH, HEIGHT, codec=codec, audio=(), options=LOSSLESS[codec])
    whole = make_video(tmp_path / f"whole.{ending}", spec)
    source = cropped(whole, tmp_path / f"in.{ending}", left, right, top, bottom)
    target = tmp_path / "out.mkv"
    assert anonymize(source, target, with_settings(solid(), {"encode.codec": "h264"})).frames == 3
    shown = np.s_[top : HEIGHT - bottom, left : WIDTH - right]
    for number, (before, after) in enumerate(zip(read_video(whole).luma, read_video(target).luma, strict=True)):
        assert after.shape == (HEIGHT - top - bottom, WIDTH - left - right)
        changed = np.argwhere(before[shown] != after)
        x = number * 4 - left  # of the covered square and its margin
        assert len(changed) and (changed >= (HEIGHT // 2 - 12 - top - 4, x - 4)).all()
        assert (changed < (HEIGHT // 2 + 12 - top + 4, x + 24 + 4)).all()
