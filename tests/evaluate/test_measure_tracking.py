"""scripts/measure_tracking.py: one pass of the network, many settings of the tracker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from scripts import measure_tracking
from tests.evaluate.scripted_detector import Answer, ScriptedDetector
from tests.evaluate.test_leaks import FACE, FRAMES, MISSED, PLATE, clip_with_truth
from tests.videos import VideoSpec


class Counting(ScriptedDetector):
    """Counts the frames that it is shown."""

    shown = 0

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        self.shown += len(frames)
        return super().__call__(frames)


def test_each_line_is_a_setting_and_the_network_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip_with_truth(tmp_path, VideoSpec(frames=FRAMES, audio=()), [number / 25 for number in range(FRAMES)])
    answers: dict[int, list[Answer]] = {
        number: [("license_plate", 0.9, PLATE), *([] if number in MISSED else [("face", 0.9, FACE)])]
        for number in range(FRAMES)
    }
    detector = Counting(answers)
    monkeypatch.setattr(measure_tracking, "load_configured_detector", detector.load)
    short = "track.max_gap_s=0.1 track.post_roll_s=0.05 track.pre_roll_s=0.05"
    measure_tracking.main([str(tmp_path), "--try", short])
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    shares = {line[1].strip(): float(line[3].split()[0]) for line in lines}
    objects = 2 * FRAMES - 1  # in frame 15 the face is hidden
    assert shares == {
        "enabled=false": pytest.approx(len(MISSED) / objects, abs=1e-3),
        "defaults": 0,
        short.replace("track.", ""): pytest.approx((len(MISSED) - 2) / objects, abs=1e-3),
    }
    assert detector.shown == FRAMES
