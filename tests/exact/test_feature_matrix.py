"""Feature by container: each comes out as it went in, or one line says what does not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest

from blurscene_stream.config.schema import EncodeConfig, Settings
from blurscene_stream.streams import FieldOrder
from tests.exact.clips import AudioSpec, Clip, make_clip
from tests.exact.media_properties import MediaProperties, media_properties
from tests.pipeline.runs import anonymize

FAST = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "12"}
ALL, NO_TS, OLD = "mp4 mov mkv ts", "mp4 mov mkv", "mp4 mkv ts"
NEW = "mp4 mkv webm"
TICK = {"mkv": Fraction(1, 1000), "webm": Fraction(1, 1000), "ts": Fraction(1, 90_000)}  # mp4, mov: the source's own
SYNC = Fraction(2, 1000)


@dataclass(frozen=True)
class Case:
    """One row.

    source:  the file
    targets: what it is written to
    codec:   how
    lost:    target, or "" for every one -> which tag does not come through, and words of the line that says so;
             no words where nobody would miss it
    """

    clip: Clip
    source: str = "in.mp4"
    targets: str = OLD
    codec: str = "h264"
    lost: dict[str, dict[str, str]] = field(default_factory=dict)


def display(least: int = 50) -> str:
    """A P3 display of 1000 cd/m2, as x264 and x265 are told of it."""
    return f"G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,{least})"


QUIET = "log-level=error"
MUTE = Clip(audio=())
UNEVEN = (0, 1, 2, 50, 51, 700, 701, 702)
TOP, BOTTOM = (Clip(field_order=order, audio=()) for order in (FieldOrder.top_first, FieldOrder.bottom_first))
NO_ROTATION = {"display_matrix": "mpegts has no display matrix, the rotation is lost; write mp4 or mkv"}
HDR = replace(MUTE, pixel_format="yuv420p10le", color=(1, 9, 16, 9))
HDR_264 = replace(HDR, options={"x264-params": f"mastering-display={display()}:cll=1000,400"})
HDR_265 = replace(HDR, codec="libx265", options={"x265-params": f"{QUIET}:master-display={display()}:max-cll=1000,400"})
ANAMORPHIC = replace(MUTE, sample_aspect_ratio=Fraction(16, 15))
AS_444 = {"pixel_format": "encoded as 4:4:4"}
NO_SAR = {"sample_aspect_ratio": "has no pixel aspect ratio, pixels become square; write mp4, or use h264, hevc"}
LANGUAGES = (AudioSpec(language="ita"), AudioSpec(language="fra", default=True), AudioSpec(language="eng", start_s=0.1))

ROWS = {
    # times
    "constant": Case(Clip()),
    "uneven, 1/1000": Case(Clip(tuple(40 * t for t in UNEVEN), Fraction(1, 1000)), "in.mkv"),
    "uneven, 1/90000": Case(Clip(tuple(3003 * t for t in UNEVEN), Fraction(1, 90_000)), targets=ALL),
    "uneven, B-frames out": Case(Clip(tuple(40 * t for t in UNEVEN), Fraction(1, 1000)), "in.mkv", codec="hevc"),
    "1001/30000": Case(Clip(time_base=Fraction(1001, 30_000)), targets=ALL),
    "1001/24000 from ts": Case(Clip(time_base=Fraction(1001, 24_000)), "in.ts"),
    "517/12800": Case(Clip(tuple(517 * t for t in range(12)), Fraction(1, 12_800)), "in.mov", ALL),
    "a microsecond": Case(Clip(tuple(33_333 * t + t % 3 for t in range(12)), Fraction(1, 1_000_000)), targets="mp4"),
    "a microsecond, VP9": Case(
        Clip(tuple(33_333 * t + t % 3 for t in range(12)), Fraction(1, 1_000_000), audio=()), targets="mp4", codec="vp9"
    ),
    "pictures late": Case(Clip(tuple(range(10, 22)), audio=(AudioSpec(end_s=1.0),)), targets=ALL),
    "audio late": Case(Clip(audio=(AudioSpec(start_s=0.35),)), targets=ALL),
    "audio early": Case(Clip(tuple(range(7, 19)), audio=(AudioSpec(end_s=1.0),)), "in.mkv", ALL),
    "pictures cut away": Case(Clip(tuple(range(-6, 12)), audio=()), targets=ALL),
    "pictures and audio cut away": Case(Clip(tuple(range(-6, 12)), audio=(AudioSpec(start_s=-0.5),)), targets=ALL),
    "audio cut away": Case(Clip(audio=(AudioSpec(start_s=-0.5),)), "in.mov", ALL),
    "B-frames": Case(Clip(tuple(range(20)), options={"bf": "3", "b-adapt": "0"}), targets=ALL),
    "open GOP": Case(Clip(tuple(range(30)), options={"x264-params": "keyint=8:open-gop=1:bframes=3"}), targets=ALL),
    "open GOP, HEVC": Case(
        Clip(tuple(range(20)), codec="libx265", options={"x265-params": f"{QUIET}:keyint=8:open-gop=1:bframes=3"}),
        codec="hevc",
    ),
    "AVI": Case(Clip(codec="mpeg4", audio=(AudioSpec("libmp3lame"),), options={"bf": "2"}), "in.avi"),
    # shape
    "turned by 90": Case(replace(MUTE, rotation=(90, False, False)), targets=ALL, lost={"ts": NO_ROTATION}),
    "turned by 180": Case(replace(MUTE, rotation=(180, False, False)), targets=ALL, lost={"ts": NO_ROTATION}),
    "turned by 270": Case(replace(MUTE, rotation=(-90, False, False)), "in.mkv", targets=ALL, lost={"ts": NO_ROTATION}),
    "mirrored": Case(replace(MUTE, rotation=(0, True, False)), targets=ALL, lost={"ts": NO_ROTATION}),
    "upside down": Case(replace(MUTE, rotation=(0, False, True)), targets=ALL, lost={"ts": NO_ROTATION}),
    "turned and mirrored": Case(replace(MUTE, rotation=(90, True, False)), targets=ALL, lost={"ts": NO_ROTATION}),
    "turned, VP9": Case(replace(MUTE, rotation=(90, False, True)), targets=NEW, codec="vp9"),
    "turned, AV1": Case(replace(MUTE, rotation=(-90, False, False)), targets=NEW, codec="av1"),
    "pixels of 16:15": Case(ANAMORPHIC, targets=ALL),
    "pixels of 16:15, HEVC": Case(ANAMORPHIC, "in.mkv", codec="hevc"),
    "pixels of 16:15, VP9": Case(ANAMORPHIC, targets=NEW, codec="vp9", lost={"mkv": NO_SAR, "webm": NO_SAR}),
    "pixels of 16:15, AV1": Case(ANAMORPHIC, targets=NEW, codec="av1", lost={"mkv": NO_SAR, "webm": NO_SAR}),
    "odd size": Case(replace(MUTE, codec="ffv1", size=(67, 49)), "in.mkv", lost={"": AS_444}),
    "odd size, AV1": Case(replace(MUTE, codec="ffv1", size=(67, 65)), "in.mkv", "mp4 mkv", "av1"),
    "3D, side by side": Case(replace(MUTE, options={"x264-params": "frame-packing=3"}), targets=ALL),
    "3D, one above the other, to HEVC": Case(
        replace(MUTE, options={"x264-params": "frame-packing=4"}),
        codec="hevc",
        lost={"": {"stereo3d": "libx265 has no stereo 3D metadata, the layout of the two views is lost"}},
    ),
    # fields
    "top field first": Case(TOP, targets=ALL),
    "bottom field first": Case(BOTTOM, targets=ALL),
    "top field first, MPEG-2": Case(replace(TOP, codec="mpeg2video"), "in.ts", ALL),
    "bottom field first, MPEG-2": Case(replace(BOTTOM, codec="mpeg2video"), "in.mkv", ALL),
    "bottom field first, DV": Case(
        replace(BOTTOM, pts=tuple(range(3)), codec="dvvideo", size=(720, 576), sample_aspect_ratio=Fraction(16, 15)),
        "in.mov",
    ),
    "fields, 4:2:2 10 bit": Case(replace(TOP, codec="ffv1", pixel_format="yuv422p10le", size=(64, 50)), "in.mkv"),
    "fields, 50 lines": Case(
        replace(TOP, codec="ffv1", size=(64, 50)),
        "in.mkv",
        lost={"": {"field_order": "cannot code pictures of 50 lines"}},
    ),
    "fields, HEVC": Case(TOP, codec="hevc", lost={"": {"field_order": "libx265 cannot code pictures as interlaced"}}),
    "fields, VP9": Case(TOP, targets=NEW, codec="vp9", lost={"": {"field_order": "libvpx-vp9 cannot code pictures"}}),
    "fields, AV1": Case(BOTTOM, targets=NEW, codec="av1", lost={"": {"field_order": "libsvtav1 cannot code pictures"}}),
    "fields as pictures, HEVC": Case(
        replace(MUTE, codec="libx265", options={"x265-params": f"{QUIET}:interlace=tff"}),
        lost={"": {"field_order": "each picture is a single field of an interlaced frame"}},
    ),
    # colour
    "BT.601, 625 lines": Case(replace(MUTE, color=(1, 5, 6, 5)), targets=ALL),
    "BT.601, 525 lines": Case(replace(MUTE, color=(1, 6, 6, 6)), "in.ts", targets=ALL),
    "BT.709": Case(replace(MUTE, color=(1, 1, 1, 1)), targets=ALL),
    "BT.709, VP9": Case(replace(MUTE, color=(1, 1, 1, 1)), targets="mkv webm", codec="vp9"),
    "BT.709, AV1": Case(replace(MUTE, color=(1, 1, 1, 1)), targets=NEW, codec="av1"),
    "BT.2020, HLG": Case(replace(HDR, color=(1, 9, 18, 9)), targets=ALL),
    "BT.2020, HLG, HEVC": Case(replace(HDR, codec="libx265", color=(1, 9, 18, 9)), targets=ALL, codec="hevc"),
    "full range by name": Case(replace(MUTE, pixel_format="yuvj420p", color=(2, 1, 1, 1)), targets=ALL),
    "full range, HEVC": Case(replace(MUTE, pixel_format="yuvj420p", color=(2, 1, 1, 1)), codec="hevc"),
    "full range, AV1": Case(replace(MUTE, pixel_format="yuvj420p", color=(2, 1, 1, 1)), targets=NEW, codec="av1"),
    "4:2:2": Case(replace(MUTE, pixel_format="yuv422p"), targets=ALL),
    "4:4:4 10 bit": Case(replace(MUTE, pixel_format="yuv444p10le"), targets=ALL),
    "4:2:2 10 bit, HEVC": Case(replace(MUTE, pixel_format="yuv422p10le"), targets=ALL, codec="hevc"),
    "HDR10": Case(HDR_264, targets=ALL),
    "HDR10 from HEVC": Case(HDR_265, "in.mkv", targets=ALL),
    "HDR10 to HEVC": Case(HDR_265, targets=ALL, codec="hevc"),
    "HDR10 to AV1": Case(HDR_265, "in.mkv", targets=NEW, codec="av1"),
    "HDR10 to VP9": Case(
        HDR_264,
        targets=NEW,
        codec="vp9",
        lost={
            "": {
                "pixel_format": "encoded as yuv420p",
                "content_light_level": "has no HDR10 metadata",
                "mastering_display": "",
            }
        },
    ),
    "HDR10, light alone": Case(replace(HDR, options={"x264-params": "cll=600,120"}), codec="hevc"),
    "HDR10, display alone": Case(replace(HDR, options={"x264-params": f"mastering-display={display(1)}"})),
    # audio
    "three tongues from mkv": Case(Clip(audio=LANGUAGES), "in.mkv", ALL, lost={"ts": {"default": ""}}),
    "MP3, AC-3, FLAC": Case(
        Clip(audio=(AudioSpec("libmp3lame", default=True), AudioSpec("ac3"), AudioSpec("flac"))), "in.mkv", "mp4 mkv"
    ),
    "three tongues": Case(Clip(audio=LANGUAGES), targets=ALL, lost={"ts": {"default": ""}}),
    "PCM": Case(Clip(audio=(AudioSpec("pcm_s16le"),)), "in.mov", "mov mkv"),
    "Opus": Case(Clip(codec="libvpx-vp9", audio=(AudioSpec("libopus"),)), "in.webm", NEW, "vp9"),
}
CELLS = [(name, target) for name, case in ROWS.items() for target in case.targets.split()]


@pytest.mark.parametrize(("name", "target"), CELLS)
def test_exact_or_reported(name: str, target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    case = ROWS[name]
    source, after = make_clip(tmp_path / case.source, case.clip), tmp_path / f"out.{target}"
    settings = Settings(encode=EncodeConfig(codec=case.codec, preset=FAST[case.codec]))
    with caplog.at_level(logging.WARNING):
        anonymize(source, after, settings)
    was, became = media_properties(source), media_properties(after)
    lost = case.lost.get(target, case.lost.get("", {}))
    reported = [words for words in lost.values() if words]
    notices = [record.getMessage() for record in caplog.records]
    assert len(notices) == len(reported), notices
    assert all(words in notice for words, notice in zip(reported, notices, strict=True)), notices
    unlike = {key for key, value in was.properties.items() if became.properties[key] != value}
    assert unlike == lost.keys(), {key: (was.properties[key], became.properties[key]) for key in unlike}
    check_times(was, became, TICK.get(target, Fraction(0)))
    check_audio(was, became)


def check_times(was: MediaProperties, became: MediaProperties, tick: Fraction) -> None:
    """The same steps from picture to picture; as a whole they may move, where a container has no time below 0."""
    assert len(became.frame_times) == len(was.frame_times)
    moved = [new - old for new, old in zip(became.frame_times, was.frame_times, strict=True)]
    assert max(moved) - min(moved) <= tick
    assert tick or not any(moved)
    for old, new in zip(was.audio_ends, became.audio_ends, strict=True):
        assert abs(new - old - moved[0]) <= SYNC, "audio and video do not move together"


def check_audio(was: MediaProperties, became: MediaProperties) -> None:
    """Bit by bit what it was, but for what an edit list hid."""
    for old, new in zip(was.audio, became.audio, strict=True):
        missing = len(old) - len(new)
        assert [payload for payload, _ in new] == [payload for payload, _ in old[missing:]]
        assert all(hidden for _, hidden in old[:missing])
        assert sum(hidden for _, hidden in old[missing:]) <= 1, "what was cut away is back"
