"""Memory of frames: megabytes that Python does not see, freed with the last reference, not by the cycle collector."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.source import open_source
from tests.videos import VideoSpec, make_video

HELD = 24  # pictures that decoder threads and B pictures may hold


def alive() -> int:
    # Not isinstance: it asks each object for its __class__, and torch keeps one that warns when it is asked.
    return sum(type(one) is VideoFrame for one in gc.get_objects())


@pytest.mark.parametrize(
    "options", [{}, {"bf": "3"}, {"x264-params": "interlaced=1:tff=1"}], ids=["plain", "B pictures", "fields"]
)
def test_pictures_go_as_they_are_read(options: dict[str, str], tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", VideoSpec(frames=150, options=options))
    gc.collect()
    gc.disable()
    gc.freeze()  # what is there already is not looked through again for each picture
    try:
        with open_source(Address(str(source)), Settings()) as opened:
            most = max(alive() for _ in opened.items())
    finally:
        gc.unfreeze()
        gc.enable()
    assert 0 < most <= HELD
