"""A container that has players show a part of the picture: the output shows all of it, and says so."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.exact.clips import Clip, make_clip
from tests.mp4_atoms import add_to_sample_entry, atom
from tests.pipeline.runs import anonymize


def cropped(path: Path, width: int, height: int) -> Path:
    """Tell players to show so much of a video, in the middle of its pictures."""
    aperture = atom(b"clap", struct.pack(">IIIIiIiI", 2 * width, 2, height, 1, 0, 1, 0, 1))
    return add_to_sample_entry(path, aperture)


@pytest.mark.parametrize("size", [(48, 48), (64, 40)])
def test_a_crop_is_logged(size: tuple[int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = cropped(make_clip(tmp_path / "in.mp4", Clip(audio=())), *size)
    assert anonymize(source, tmp_path / "out.mp4").frames == 12
    notices = [record.getMessage() for record in caplog.records]
    assert notices == [f"{source}: players show {size[0]}x{size[1]} of its 64x48 pixels; the output shows all of them"]


def test_a_crop_to_the_whole_picture_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    anonymize(cropped(make_clip(tmp_path / "in.mov", Clip(audio=())), 64, 48), tmp_path / "out.mp4")
    assert caplog.text == ""
