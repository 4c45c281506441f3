"""The last picture stays as long as it did: nothing follows it whose time would tell."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from blurscene_stream.config.schema import EncodeConfig, Settings
from tests.exact.clips import Clip, make_clip
from tests.pipeline.runs import anonymize

TIMES, LAST_S = (0, 40, 80, 1000, 1040), 2.0
LENGTH_S = 1.04 + LAST_S


def slide_show(folder: Path) -> Path:
    """Five pictures, the last of which stays."""
    made = make_clip(folder / "made.mkv", Clip(TIMES, Fraction(1, 1000), audio=()))
    with av.open(str(made)) as opened, av.open(str(folder / "in.mp4"), "w") as container:
        stream = container.add_stream_from_template(opened.streams.video[0])
        packets = [packet for packet in opened.demux(video=0) if packet.size]
        packets[-1].duration = round(LAST_S * 1000)
        for packet in packets:
            packet.stream = stream
            container.mux(packet)
    return folder / "in.mp4"


def length_s(path: Path) -> float:
    """As the container says: of MP4 the movie header, for its index goes by the order of decoding."""
    if path.suffix in (".mp4", ".mov"):
        data = path.read_bytes()
        ticks, length = struct.unpack_from(">II", data, data.index(b"mvhd") + 16)
        return float(length / ticks)
    with av.open(str(path)) as container:
        return float((container.duration or 0) / av.time_base)


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize(("codec", "preset"), [("h264", "ultrafast"), ("h264", "medium"), ("hevc", "ultrafast"),
                                               ("vp9", "8"), ("av1", "12")])  # fmt: skip
def test_the_last_picture_stays(codec: str, preset: str, target: str, tmp_path: Path) -> None:
    source = slide_show(tmp_path)
    assert length_s(source) == pytest.approx(LENGTH_S)
    if (target == "webm") != (codec in ("vp9", "av1")) and target != "mkv":
        pytest.skip(f"{target} is written with other codecs")
    anonymize(source, tmp_path / f"out.{target}", Settings(encode=EncodeConfig(codec=codec, preset=preset)))
    assert length_s(tmp_path / f"out.{target}") == pytest.approx(LENGTH_S)
