"""The clock of a transport stream begins anywhere, and anew after 26.5 hours: an output begins at its start."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.exact.clips import AudioSpec, Clip, make_clip
from tests.exact.media_properties import media_properties
from tests.pipeline.runs import anonymize

TICKS = 90_000
CLIP = Clip(tuple(range(50)), audio=(AudioSpec(end_s=2.0),), options={"bf": "2"})
STARTS = {  # -> ticks; libav's muxer begins at 0 or a little later
    "over the end of the clock": 2**33 - TICKS,
    "before the end of the clock": 2**33 - 5 * TICKS,
    "ten hours": 36_000 * TICKS,
    "eleven seconds": 11 * TICKS,
}


def begun_at(path: Path, ticks: int) -> Path:
    made = make_clip(path.with_name("made.ts"), CLIP)
    with av.open(str(made)) as opened, av.open(str(path), "w") as container:
        streams = [container.add_stream_from_template(stream) for stream in opened.streams]
        for packet in opened.demux():
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return path


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv", "ts"])
@pytest.mark.parametrize("start", STARTS)
def test_an_output_begins_at_the_start(
    start: str, target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = begun_at(tmp_path / "in.ts", STARTS[start])
    with caplog.at_level(logging.INFO):
        assert anonymize(source, tmp_path / f"out.{target}").frames == 50
    assert sum("of its clock, all times are moved" in record.getMessage() for record in caplog.records) == 1
    was, became = media_properties(source), media_properties(tmp_path / f"out.{target}")
    assert len(became.frame_times) == 50, "a container hides what is below 0"
    assert 1 <= became.frame_times[0] < 3
    moved = [new - old for new, old in zip(became.frame_times, was.frame_times, strict=True)]
    assert max(moved) - min(moved) <= Fraction(1, 1000)
    assert abs(became.audio_ends[0] - was.audio_ends[0] - moved[0]) <= Fraction(1, 500), (
        "audio and video do not move together"
    )
    assert became.audio == was.audio


def test_a_program_stream_has_such_a_clock_too(tmp_path: Path) -> None:
    clip = Clip(tuple(range(900_000, 900_025)), codec="mpeg2video", audio=(AudioSpec("mp2", 36_000.0, 36_001.0),))
    source = make_clip(tmp_path / "in.mpg", clip)
    assert media_properties(source).frame_times[0] == 36_000
    anonymize(source, tmp_path / "out.mp4")
    became = media_properties(tmp_path / "out.mp4")
    assert 1 <= became.frame_times[0] < 3
    assert became.audio == media_properties(source).audio


@pytest.mark.parametrize("ticks", [0, 9 * TICKS])
def test_a_muxer_s_own_delay_stays(ticks: int, tmp_path: Path) -> None:
    source = begun_at(tmp_path / "in.ts", ticks)
    anonymize(source, tmp_path / "out.mp4")
    assert media_properties(tmp_path / "out.mp4").frame_times == media_properties(source).frame_times
