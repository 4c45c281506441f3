"""Side data of types that PyAV does not know beside those that it does."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.pipeline.runs import anonymize
from tests.videos import VideoSpec, picture, read_video

SPEC = VideoSpec(5, 64, 48)
ORIENTATION, MAKE = 0x0112, 0x010F  # of EXIF


def with_exif(path: Path, orientation: int) -> Path:
    """A video of JPEG pictures as cameras write it: each has its EXIF."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = SPEC.width, SPEC.height, "yuvj420p"
        container.start_encoding()
        for number in range(SPEC.frames):
            exif = Image.Exif()
            exif[ORIENTATION], exif[MAKE] = orientation, "Anna's camera"
            data = io.BytesIO()
            Image.fromarray(picture(number, SPEC)).save(data, "JPEG", exif=exif, quality=95, subsampling=2)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = video, number, number, Fraction(1, 25)
            container.mux(packet)
    return path


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (6, -90), (3, 180)])
def test_pictures_of_a_camera_with_exif(orientation: int, turned: int, tmp_path: Path) -> None:
    """It ended the run with an error that nobody had foreseen."""
    source, target = with_exif(tmp_path / "in.avi", orientation), tmp_path / "out.mp4"
    assert anonymize(source, target).frames == SPEC.frames
    after = read_video(target)
    assert abs(after.rotation) == abs(turned)
    assert after.rotation == turned or abs(turned) == 180
    assert b"Anna" not in target.read_bytes()
