"""A container that has players show a part of the picture: the output shows all of it, and says so."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.exact.boxes import box, boxes
from tests.exact.clips import Clip, make_clip
from tests.pipeline.runs import anonymize

WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def cropped(path: Path, width: int, height: int) -> Path:
    """Tell players to show so much of a video, in the middle of its pictures."""
    aperture = box(b"clap", struct.pack(">IIIIiIiI", 2 * width, 2, height, 1, 0, 1, 0, 1))
    path.write_bytes(_inside(path.read_bytes(), WAY, aperture))
    return path


def _inside(body: bytes, way: tuple[bytes, ...], added: bytes) -> bytes:
    if not way:  # the table of one entry, behind eight bytes
        ((name, entry),) = boxes(body[8:])
        return body[:8] + box(name, entry, added)
    return b"".join(box(name, _inside(part, way[1:], added) if name == way[0] else part) for name, part in boxes(body))


@pytest.mark.parametrize("size", [(48, 48), (64, 40)])
def test_a_crop_is_told(size: tuple[int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = cropped(make_clip(tmp_path / "in.mp4", Clip(sound=())), *size)
    assert anonymize(source, tmp_path / "out.mp4").frames == 12
    notices = [record.getMessage() for record in caplog.records]
    assert notices == [f"{source}: players show {size[0]}x{size[1]} of its 64x48 pixels; the output shows all of them"]


def test_a_crop_to_the_whole_picture_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    anonymize(cropped(make_clip(tmp_path / "in.mov", Clip(sound=())), 64, 48), tmp_path / "out.mp4")
    assert caplog.text == ""
