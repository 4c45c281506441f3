"""Hardware encoders are probed. None works here; a software encoder stands in for one that does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from blurscene_stream.config.schema import EncodeConfig, Hardware, Settings
from blurscene_stream.errors import SinkError
from blurscene_stream.sink import encoder_choice
from blurscene_stream.sink.encoder_presets import HARDWARE, X264, X265, Encoder
from tests.pipeline.runs import anonymize, fails
from tests.videos import VideoSpec, make_video, read_video

SMALL = VideoSpec(8, 160, 96, audio=())
AUTO = Settings(encode=EncodeConfig(hardware=Hardware.auto))


@pytest.fixture
def walker(tmp_path: Path) -> Path:
    return make_video(tmp_path / "in.mp4", SMALL)


@pytest.mark.parametrize("encoder", HARDWARE, ids=lambda encoder: encoder.name)
def test_a_named_hardware_encoder_that_does_not_work_is_an_error(
    encoder: Encoder, walker: Path, tmp_path: Path
) -> None:
    settings = Settings(encode=EncodeConfig(codec=encoder.name))
    (tmp_path / "out").mkdir()
    try:
        anonymize(walker, tmp_path / "out" / "out.mkv", settings)
    except SinkError:
        message = fails(SinkError, walker, tmp_path / "out" / "out.mkv", settings)
        assert f"{encoder.name} does not work here: " in message and "choose another with -c:v" in message
    else:  # a machine that has one
        assert len(read_video(tmp_path / "out" / "out.mkv").luma) == SMALL.frames


def test_without_a_working_hardware_encoder_the_software_encodes_with_a_warning(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(X264, name="no_such_gpu", hardware=True), replace(X264, name="h264_v4l2m2m", hardware=True)
    monkeypatch.setattr(encoder_choice, "HARDWARE", broken)
    anonymize(walker, tmp_path / "out.mp4", AUTO)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith(f"{walker}: no hardware encoder works (no_such_gpu: this build of PyAV has no no_such_gpu; ")
    assert "h264_v4l2m2m: " in line and line.endswith(", it is encoded by libx264")
    assert len(read_video(tmp_path / "out.mp4").luma) == SMALL.frames


def test_the_first_hardware_encoder_that_works_is_taken(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    encoders = replace(X264, name="h264_v4l2m2m"), replace(X265, codec="h264"), replace(X264, name="never tried")
    monkeypatch.setattr(encoder_choice, "HARDWARE", tuple(replace(each, hardware=True) for each in encoders))
    anonymize(walker, tmp_path / "out.mkv", AUTO)
    assert f"{walker}: encoded by libx265" in caplog.text and "WARNING" not in caplog.text
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert len(read_video(tmp_path / "out.mkv").luma) == SMALL.frames


@pytest.mark.parametrize(("width", "works"), [(160, True), (161, False)])
def test_the_probe_has_the_size_of_the_video(
    width: int, works: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x264 refuses an odd width in 4:2:0, if we do not ask for another format beforehand."""
    caplog.set_level("INFO")
    monkeypatch.setattr(encoder_choice, "HARDWARE", (replace(X264, hardware=True, needs_even_size=False),))
    source = make_video(tmp_path / "in.mkv", replace(SMALL, width=width, codec="ffv1"))
    anonymize(source, tmp_path / "out.mp4", AUTO)
    assert (f"{source}: encoded by libx264" in caplog.text) == works
    assert ("no hardware encoder works" in caplog.text) == (not works)
    assert len(read_video(tmp_path / "out.mp4").luma) == SMALL.frames


def test_a_hardware_encoder_that_does_not_take_the_settings_is_left_out(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(encode=EncodeConfig(hardware=Hardware.auto, preset="ultrafast"))
    anonymize(walker, tmp_path / "out.mp4", settings)
    assert "no hardware encoder works (none encodes h264 with these settings), it is encoded by libx264" in caplog.text


@pytest.mark.parametrize(("kept", "written"), [(X265, "hevc"), (replace(X265, name="no_such_encoder"), "h264")])
def test_hevc_stays_hevc_where_its_encoder_takes_the_pictures(
    kept: Encoder, written: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x265 refuses some sizes, such as 2x16000, which no encoder here makes an HEVC file of: it is taken away."""
    caplog.set_level("INFO")
    monkeypatch.setattr(encoder_choice, "X265", kept)
    source = make_video(tmp_path / "in.mkv", replace(SMALL, codec="libx265"))
    anonymize(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == written
    reported = [line for line in caplog.messages if "does not take it" in line]
    assert [line.endswith("it is encoded by libx264") for line in reported] == [True] * (written == "h264")


def test_svt_av1_is_not_asked_for_what_it_never_ends_with(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", VideoSpec(2, 16, 640, codec="ffv1", audio=()))
    message = fails(SinkError, source, tmp_path / "out.mp4", Settings(encode=EncodeConfig(codec="av1")))
    assert "libsvtav1 does not open for 16x640 pictures as yuv420p: it takes no side under 32 px" in message


@pytest.mark.parametrize(("width", "height"), [(2, 2), (4, 300)])
def test_pictures_that_a_named_encoder_does_not_take(width: int, height: int, tmp_path: Path) -> None:
    """x265 says no more than "invalid argument"; x264 takes them."""
    source = make_video(tmp_path / "in.mkv", VideoSpec(2, width, height, codec="ffv1", audio=()))
    message = fails(SinkError, source, tmp_path / "out.mp4", Settings(encode=EncodeConfig(codec="hevc")))
    refusal = f"libx265 does not open for {width}x{height} pictures as yuv420p: invalid argument"
    assert message == f"{tmp_path / 'out.mp4'}: {refusal}; choose another codec with -c:v (encode.codec)"
    assert anonymize(source, tmp_path / "out.mp4").frames == 2
