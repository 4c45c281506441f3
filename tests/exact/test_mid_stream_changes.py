"""A video that says something else half way: refused, or told in one line, never wrong in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import pytest
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError
from blurscene_stream.streams import FieldOrder
from tests.exact.clips import Clip, make_clip
from tests.exact.media_properties import media_properties
from tests.pipeline.runs import anonymize, fails

PART = Clip(tuple(range(8)), audio=())
HDR = replace(PART, pixel_format="yuv420p10le", color=(1, 9, 16, 9))


def joined(path: Path, parts: Sequence[Clip], filters: Sequence[str] = ("null", "null")) -> Path:
    """One transport stream of several clips, each second one more; with a bitstream filter over each."""
    made = [make_clip(path.with_name(f"part{place}.ts"), part) for place, part in enumerate(parts)]
    with av.open(str(path), "w") as container:
        stream: VideoStream | None = None
        for place, part in enumerate(made):
            with av.open(str(part)) as opened:
                video = opened.streams.video[0]
                stream = stream or container.add_stream_from_template(video)
                for packet in _filtered(opened.demux(video), video, filters[place]):
                    packet.pts, packet.dts = (packet.pts or 0) + place * 90_000, (packet.dts or 0) + place * 90_000
                    packet.stream = stream
                    container.mux(packet)
    return path


def _filtered(packets: object, video: VideoStream, name: str) -> list[Packet[Stream]]:
    through = BitStreamFilterContext(name, video)
    held = [packet for packet in cast("list[Packet[Stream]]", list(packets)) if packet.size]  # type: ignore[call-overload]
    return [out for packet in (*held, None) for out in through.filter(packet)]


TOLD = {  # what changes -> the parts, a bitstream filter over the second, part of the line
    "pixels": (
        (replace(PART, sample_aspect_ratio=Fraction(16, 15)), PART),
        "null",
        "the pixel aspect ratio is another",
    ),
    "color": ((replace(PART, color=(1, 1, 1, 1)), replace(PART, color=(1, 6, 6, 6))), "null", "the colour tags"),
    "range": ((PART, replace(PART, color=(2, 2, 2, 2))), "null", "the colour tags are others"),
    "content_light_level": (
        tuple(replace(HDR, options={"x264-params": f"cll={most},120"}) for most in (600, 4000)),
        "null",
        "the HDR metadata is another",
    ),
    "light comes up": ((HDR, replace(HDR, options={"x264-params": "cll=600,120"})), "null", "the HDR metadata"),
    "fields": (
        (PART, replace(PART, field_order=FieldOrder.top_first)),
        "null",
        "interlaced and progressive pictures mix",
    ),
    "field order": (
        (replace(PART, field_order=FieldOrder.top_first), replace(PART, field_order=FieldOrder.bottom_first)),
        "null",
        "the field order is another",
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_what_the_encoder_need_not_know_is_logged(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts, over, words = TOLD[what]
    source = joined(tmp_path / "in.ts", parts, ("null", over))
    assert anonymize(source, tmp_path / "out.mp4").frames == 16
    notices = [record.getMessage() for record in caplog.records]
    assert len(notices) == 1, notices
    assert notices[0].startswith(f"{source}: from frame 8 on ")
    assert words in notices[0]
    assert "cut the file there" in notices[0]


MIXED = {  # the first part, the second, what the output says of all
    "top, then bottom": (FieldOrder.top_first, FieldOrder.bottom_first, "T"),
    "bottom, then progressive": (FieldOrder.bottom_first, FieldOrder.progressive, "B"),
    "top, then progressive": (FieldOrder.top_first, FieldOrder.progressive, "T"),
    "progressive, then bottom": (FieldOrder.progressive, FieldOrder.bottom_first, "P"),
}


@pytest.mark.parametrize("what", MIXED)
def test_field_order_is_written_throughout_as_at_the_start(what: str, tmp_path: Path) -> None:
    """x264 would mark pictures that it still holds by those that come in."""
    *orders, letter = MIXED[what]
    source = joined(tmp_path / "in.ts", [replace(PART, field_order=order) for order in orders])
    anonymize(source, tmp_path / "out.mkv")
    assert media_properties(tmp_path / "out.mkv").properties["field_order"] == letter * 16


REFUSED = {  # what changes -> the second part, a filter over it, how the message calls it
    "size": (replace(PART, size=(96, 48)), "null", "frame 8 is 96x48 yuv420p, the first one is 64x48 yuv420p"),
    "pixel_format": (replace(PART, pixel_format="yuv422p"), "null", "frame 8 is 64x48 yuv422p"),
    "display_matrix": (
        PART,
        "h264_metadata=display_orientation=insert:rotate=90",
        "frame 8 is 64x48 yuv420p turned by 90 degr",
    ),
    "mirror": (PART, "h264_metadata=display_orientation=insert:flip=horizontal", "frame 8 is 64x48 yuv420p"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_encoder_cannot_follow_ends_the_run(what: str, tmp_path: Path) -> None:
    second, over, words = REFUSED[what]
    source = joined(tmp_path / "in.ts", (PART, second), ("null", over))
    (tmp_path / "out").mkdir()
    message = fails(CorruptInputError, source, tmp_path / "out" / "out.mp4")
    assert words in message
    assert "turned otherwise" in message or what in ("size", "pixel_format")
    assert message.endswith("; cut the file where it changes")


def test_a_rotation_that_comes_with_key_frames_only_holds_between_them(tmp_path: Path) -> None:
    """libav attaches it to single pictures, players turn them all."""
    clip = replace(PART, pts=tuple(range(20)), options={"x264-params": "keyint=8"})
    source = joined(tmp_path / "in.ts", (clip,), ("h264_metadata=display_orientation=insert:rotate=90",))
    anonymize(source, tmp_path / "out.mp4")
    was, became = media_properties(source), media_properties(tmp_path / "out.mp4")
    assert was.properties["display_matrix"] is not None
    assert became.properties["display_matrix"] == was.properties["display_matrix"]
    assert len(became.frame_times) == 20


def test_silence_about_the_light_between_key_frames_is_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = replace(HDR, pts=tuple(range(20)), options={"x264-params": "keyint=8:cll=600,120"})
    anonymize(make_clip(tmp_path / "in.ts", clip), tmp_path / "out.mp4")
    assert caplog.text == ""
