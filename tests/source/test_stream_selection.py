"""Selection among several videos of a file: by number, else the run is refused; none is ever copied as it is."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from blurscene_stream.config.schema import Settings, SourceConfig
from blurscene_stream.errors import ConfigError, SourceError
from tests.pipeline.runs import anonymize, fails, solid
from tests.settings import changed
from tests.videos import VideoSpec, make_video, read_video, square_at

FRONT, REAR = VideoSpec(5, 64, 48), VideoSpec(7, 96, 64, audio=())


@pytest.fixture(params=["mp4", "mkv", "ts"])
def dash_cam(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Streams 0 (front), 1 (audio), 2 (rear)."""
    (tmp_path / "out").mkdir()
    path = tmp_path / f"dash.{request.param}"
    with av.open(str(path), "w") as container:
        made = [make_video(tmp_path / f"{width}.mp4", spec) for width, spec in ((64, FRONT), (96, REAR))]
        opened = [av.open(str(part)) for part in made]
        added = [[container.add_stream_from_template(stream) for stream in part.streams] for part in opened]
        for part, streams in zip(opened, added, strict=True):
            for packet in part.demux():
                if packet.size:
                    packet.stream = streams[packet.stream.index]
                    container.mux(packet)
            part.close()
    return path


def chosen(number: int) -> Settings:
    return changed(solid(), {"source": SourceConfig(video_stream=number)})


def test_several_videos_are_refused_unless_one_is_chosen(dash_cam: Path) -> None:
    message = fails(SourceError, dash_cam, dash_cam.parent / "out" / "out.mp4")
    assert "holds 2 videos" in message
    assert "0 (h264 64x48) or 2 (h264 96x64)" in message
    assert "--set source.video_stream=N" in message
    assert "run once for each" in message


@pytest.mark.parametrize(("number", "spec", "other"), [(0, FRONT, 2), (2, REAR, 0)])
def test_the_chosen_one_is_anonymized_and_the_other_left_out(
    number: int, spec: VideoSpec, other: int, dash_cam: Path
) -> None:
    target = dash_cam.parent / "out" / "out.mkv"
    summary = anonymize(dash_cam, target, chosen(number))
    assert summary.left_out == (f"video stream {other} (h264)",)
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    luma = read_video(target).luma
    assert [picture.shape for picture in luma] == [(spec.height, spec.width)] * spec.frames
    for frame, picture in enumerate(luma):
        x0, y0, x1, y1 = square_at(frame, spec)
        assert len(np.unique(picture[y0:y1, x0:x1])) == 1, "it is not covered"


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_no_video_cannot_be_chosen(number: int, dash_cam: Path) -> None:
    message = fails(ConfigError, dash_cam, dash_cam.parent / "out" / "out.mp4", chosen(number))
    assert (
        f"source.video_stream must be the number of a video, 0 (h264 64x48) or 2 (h264 96x64), got {number}" in message
    )


def test_a_single_video_may_be_chosen_too(walker: Path, tmp_path: Path) -> None:
    assert anonymize(walker, tmp_path / "out.mp4", chosen(0)).frames == 25


def test_a_cover_picture_cannot_be_chosen(tmp_path: Path) -> None:
    """It is a picture from before the redaction."""
    source = tmp_path / "in.mp4"
    make_video(tmp_path / "plain.mp4", FRONT)
    with av.open(str(tmp_path / "plain.mp4")) as opened, av.open(str(source), "w") as container:
        video = container.add_stream_from_template(opened.streams.video[0])
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        container.mux(cover.encode(None))
        for packet in opened.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
    (tmp_path / "out").mkdir()
    message = fails(ConfigError, source, tmp_path / "out" / "out.mp4", chosen(1))
    assert "must be the number of a video, 0 (h264 64x48), got 1" in message


@pytest.mark.parametrize(("name", "codec"), [("in.mp4", "libx264"), ("in.mov", "mjpeg"), ("in.ts", "mpeg2video")])
def test_pictures_beyond_the_limit_are_not_decoded(name: str, codec: str, tmp_path: Path) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    spec = VideoSpec(3, 64, 48, codec=codec, pixel_format=pixel_format, audio=())
    source, target = make_video(tmp_path / name, spec), tmp_path / "out.mp4"
    message = fails(SourceError, source, target, changed(solid(), {"source.max_pixels": 64 * 48 - 1}))
    assert "3,071" in message
    assert anonymize(source, target, changed(solid(), {"source.max_pixels": 64 * 48})).frames == 3
