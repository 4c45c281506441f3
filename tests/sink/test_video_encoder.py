"""The choice of an encoder and its options, its pixel formats, and every codec in every container."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from blurscene_stream.config.schema import EncodeConfig, Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.sink.encoder_choice import choose_encoder
from blurscene_stream.sink.encoder_presets import (
    AV1,
    ENCODERS,
    FFV1,
    VP9,
    X264,
    X265,
    Encoder,
    parse_bitrate,
)
from tests.pipeline.runs import anonymize
from tests.videos import VideoSpec, make_video, read_video

SMALL = VideoSpec(8, 96, 64, audio=(), colour=True)
FAST = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "12", "ffv1": None}

CHOICES: dict[tuple[str, str], Encoder | str] = {
    # codec, container -> the encoder, or why not
    ("auto", "mp4"): X264,
    ("auto", "mpegts"): X264,
    ("auto", "webm"): VP9,
    ("libx264", "matroska"): X264,
    ("hevc", "mp4"): X265,
    ("h265", "mov"): X265,
    ("libx265", "mpegts"): X265,
    ("vp9", "mp4"): VP9,
    ("av1", "webm"): AV1,
    ("h264", "rtsp"): X264,
    ("auto", "rtsp"): X264,
    ("ffv1", "matroska"): FFV1,
    ("h264_nvenc", "mp4"): ENCODERS["h264_nvenc"],
    ("h264_nvenc", "rtsp"): ENCODERS["h264_nvenc"],
    ("av1_nvenc", "webm"): ENCODERS["av1_nvenc"],
    ("h264", "webm"): "webm takes no h264: choose vp9 or av1",
    ("vp9", "mpegts"): "ts takes no vp9",
    ("vp9", "mov"): "mov takes no vp9",
    ("av1", "rtsp"): "an RTSP target is sent h264, not av1",
    ("ffv1", "mp4"): "mp4 takes no ffv1: choose h264 or hevc or vp9 or av1, or write mkv",
    ("hevc_nvenc", "rtsp"): "an RTSP target is sent h264, not hevc",
    ("hevc_nvenc", "webm"): "webm takes no hevc: choose vp9 or av1, or write mp4 or mkv",
    ("mjpeg", "mp4"): "must be auto or one of h264, hevc",
    ("h264_vaapi", "mp4"): "must be auto or one of h264, hevc",
    ("hevc_qsv", "mp4"): "must be auto or one of h264, hevc",
    ("H264", "mp4"): "must be auto or one of h264",
}


@pytest.mark.parametrize(("codec", "container"), CHOICES)
def test_choose_encoder(codec: str, container: str) -> None:
    expected = CHOICES[codec, container]
    if isinstance(expected, Encoder):
        assert choose_encoder(EncodeConfig(codec=codec), container) is expected
        return
    with pytest.raises(UsageError) as caught:
        choose_encoder(EncodeConfig(codec=codec), container)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("source_codec", "bits", "container", "name"),
    [
        ("hevc", 8, "mp4", "libx265"),
        ("hevc", 10, "matroska", "libx265"),
        ("hevc", 8, "webm", "libvpx-vp9"),
        ("hevc", 8, "rtsp", "libx264"),
        ("av1", 10, "mp4", "libsvtav1"),
        ("av1", 8, "mp4", "libx264"),
        ("vp9", 10, "matroska", "libvpx-vp9"),
        ("vp9", 10, "mov", "libx264"),
        ("h264", 10, "mp4", "libx264"),
        ("mpeg4", 8, "mp4", "libx264"),
    ],
)
def test_auto_keeps_hevc_and_the_codec_of_deep_video(source_codec: str, bits: int, container: str, name: str) -> None:
    assert choose_encoder(EncodeConfig(), container, source_codec, bits).name == name


def test_auto_takes_an_encoder_that_takes_the_settings() -> None:
    assert choose_encoder(EncodeConfig(preset="veryfast"), "mp4", "av1", 10).name == "libx264"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EncodeConfig(preset="silly"), "encode.preset must be one of ultrafast, superfast"),
        (EncodeConfig(codec="av1", preset="veryfast"), "encode.preset must be one of 0, 1, 2"),
        (EncodeConfig(bitrate="99999999999999M"), "encode.bitrate must be at most 2000M"),
        (EncodeConfig(crf=52), "encode.crf must be in 0..51 for libx264, got 52"),
        (EncodeConfig(codec="h264_nvenc", crf=0), "encode.crf must be in 1..51 for h264_nvenc, got 0"),
        (EncodeConfig(codec="h264_nvenc", preset="veryfast"), "encode.preset must be one of p1, p2"),
        (EncodeConfig(codec="ffv1", preset="fast"), "encode.preset must be null for ffv1, got 'fast'"),
        (EncodeConfig(codec="ffv1", crf=0), "encode.crf must be null for ffv1: it is lossless"),
        (EncodeConfig(codec="ffv1", bitrate="4M"), "encode.bitrate must be null for ffv1: it is lossless"),
    ],
)
def test_settings_that_an_encoder_does_not_take_are_refused(settings: EncodeConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_encoder(settings, "matroska")


@pytest.mark.parametrize(
    ("text", "bits"),
    [("800k", 800_000), ("4M", 4_000_000), ("2.5M", 2_500_000), ("4m", 4_000_000), ("1K", 1000), ("123456", 123_456)],
)
def test_bit_rates_are_written_as_in_ffmpeg(text: str, bits: int) -> None:
    assert parse_bitrate(text) == bits


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "ts"])
@pytest.mark.parametrize("codec", FAST)
@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le"])
def test_every_codec_in_every_container(codec: str, suffix: str, form: str, tmp_path: Path) -> None:
    """Depth and number of frames stay; 8 bit of 10 would show as bands in the sky."""
    settings = Settings(encode=EncodeConfig(codec=codec, preset=FAST[codec]))
    source = make_video(tmp_path / "in.mp4", replace(SMALL, pixel_format=form))
    target = tmp_path / f"out.{suffix}"
    old, new = ("h264", "hevc"), ("vp9", "av1")
    if codec not in {"webm": new, "ts": old, "mov": old, "mkv": (*old, *new, "ffv1")}.get(suffix, old + new):
        with pytest.raises(UsageError, match=f"^{suffix} takes no {codec}: choose "):
            anonymize(source, target, settings)
        return
    anonymize(source, target, settings)
    with av.open(str(target)) as container:
        video = container.streams.video[0]
        assert video.codec_context.codec.canonical_name == codec
        # libvpx of PyAV's wheels has 8 bits; a warning says so
        assert video.codec_context.pix_fmt == ("yuv420p" if codec == "vp9" else form)
        if codec == "hevc" and suffix in ("mp4", "mov"):
            assert video.codec_context.codec_tag == "hvc1", "QuickTime plays no other"
    assert len(read_video(target).luma) == SMALL.frames


@pytest.mark.parametrize("codec", [name for name, encoder in ENCODERS.items() if not encoder.hardware])
def test_every_codec_name_opens_an_encoder(codec: str, tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SMALL, frames=2))
    preset = FAST[ENCODERS[codec].codec]
    anonymize(source, tmp_path / "out.mkv", Settings(encode=EncodeConfig(codec=codec, preset=preset)))
    assert len(read_video(tmp_path / "out.mkv").luma) == 2


def test_lossless_encoding_keeps_every_sample_outside_the_boxes(tmp_path: Path) -> None:
    """In the pixel format of the source."""
    spec = replace(SMALL, pixel_format="yuv422p10le", codec="ffv1")
    source = make_video(tmp_path / "in.mkv", spec)
    anonymize(source, tmp_path / "out.mkv", Settings(encode=EncodeConfig(codec="ffv1")))
    before, after = read_video(source), read_video(tmp_path / "out.mkv")
    assert after.formats == {"yuv422p10le"}
    same = [float((one == other).mean()) for one, other in zip(before.luma, after.luma, strict=True)]
    assert max(same) < 1 and min(same) > 0.5
    for one, other in zip(before.luma, after.luma, strict=True):
        rows, columns = np.nonzero(one != other)
        hidden = np.zeros_like(one, dtype=bool)
        hidden[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        assert (one[~hidden] == other[~hidden]).all()
        assert hidden.mean() < 0.4


FORMATS = {  # pixel format, size, codec -> format of the output, part of the notice or nothing
    ("yuv420p", 96, "h264"): ("yuv420p", ""),
    ("yuv422p", 96, "h264"): ("yuv422p", ""),
    ("yuv444p10le", 96, "h264"): ("yuv444p10le", ""),
    ("yuv420p", 97, "h264"): ("yuv444p", "an odd size of yuv420p is encoded as 4:4:4"),
    ("yuv420p10le", 97, "hevc"): ("yuv444p10le", "an odd size of yuv420p10le is encoded as 4:4:4"),
    ("yuv420p", 97, "vp9"): ("yuv420p", ""),
    ("yuv444p", 97, "h264"): ("yuv444p", ""),
    ("yuv422p", 96, "av1"): ("yuv420p", "takes no yuv422p, the video is encoded as yuv420p"),
    ("yuv422p10le", 96, "av1"): ("yuv420p10le", "the video is encoded as yuv420p10le"),
}


@pytest.mark.parametrize(("form", "width", "codec"), FORMATS)
def test_the_pixel_format_that_loses_least(
    form: str, width: int, codec: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected, notice = FORMATS[form, width, codec]
    source = make_video(tmp_path / "in.mkv", replace(SMALL, codec="ffv1", pixel_format=form, width=width))
    settings = Settings(encode=EncodeConfig(codec=codec, preset=FAST[codec]))
    anonymize(source, tmp_path / "out.mkv", settings)
    assert read_video(tmp_path / "out.mkv").formats == {expected}
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == bool(notice), messages
    assert all(notice in message and message.startswith(str(source)) for message in messages)


def size_of(source: Path, **chosen: Any) -> int:
    target = source.with_name("out.mkv")
    anonymize(source, target, Settings(encode=EncodeConfig(**chosen)), overwrite=True)
    return target.stat().st_size


def test_settings_reach_the_encoder(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SMALL, frames=50))
    assert size_of(source, crf=40) < size_of(source, crf=25) < size_of(source, crf=10)
    assert size_of(source, codec="vp9", crf=55, preset="8") < size_of(source, codec="vp9", crf=15, preset="8")
    assert size_of(source, bitrate="50k") < 0.7 * size_of(source, bitrate="400k")
    assert size_of(source, bitrate="50k") < 30_000  # two seconds are 12,500 bytes
    assert size_of(source, preset="ultrafast") != size_of(source, preset="medium")


def test_the_source_s_own_key_frames_are_not_forced_on_the_encoder(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SMALL, frames=30, options={"g": "2"}))
    anonymize(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0)) == 1
