"""No encoder takes the processor from everybody else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from blurscene_stream import Anonymizer, load_settings
from tests.detectors import SquareDetector
from tests.videos import VideoSpec, make_video


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="SVT-AV1 does it on Linux, for root")
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1"])
def test_no_encoder_makes_the_program_real_time(codec: str, tmp_path: Path) -> None:
    policies = set[int]()

    def look(*_: object) -> None:
        for each in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                policies.add(os.sched_getscheduler(int(each.name)))

    clip = make_video(tmp_path / "in.mp4", VideoSpec(frames=3, audio=()))
    anonymizer = Anonymizer(load_settings({"encode.codec": codec}), load_detector=lambda _: SquareDetector())
    anonymizer.video(clip, tmp_path / "out.mkv", progress=look)
    assert policies == {os.SCHED_OTHER}
