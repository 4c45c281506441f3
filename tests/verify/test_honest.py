"""An honest run passes, whatever the container, the quality and the kind of video."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.runs import anonymized, checked, failed, report_text, settings_of
from tests.verify.scenes import Scene, make_scene

FAST = {"preset": "veryfast", "crf": "12"}
IRREGULAR = [0, 40, 80, 100, 101, 140, 400, 440, 441, 480, 520, 561]
SCENES: dict[str, tuple[str, Scene]] = {
    "plain": ("in.mp4", Scene()),
    "B-frames, two tracks": ("in.mkv", Scene(audio=("aac", "flac"), options={**FAST, "bf": "3"})),
    "10 bits": ("in.mkv", Scene(codec="libx264", pixel_format="yuv420p10le", audio=("libopus",))),
    "turned": ("in.mp4", Scene(rotation=90)),
    "variable rate": ("in.mkv", Scene(times=IRREGULAR)),
    "interlaced": ("in.mkv", Scene(options={**FAST, "x264-params": "tff=1:interlaced=1"})),
    "odd size": ("in.mkv", Scene(codec="ffv1", width=301, height=223, options={}, audio=())),
    "plain samples": ("in.mkv", Scene(audio=("pcm_s16le",))),
    "telephone": ("in.mov", Scene(audio=("pcm_mulaw",), frames=40)),
    "MPEG audio": ("in.ts", Scene(audio=("mp2",))),
}
OUTPUTS = ("out.mp4", "out.mkv", "out.ts")


@pytest.mark.parametrize("crf", [20, 35])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("what", SCENES)
def test_an_honest_run_passes(what: str, output: str, crf: int, tmp_path: Path) -> None:
    if what == "turned" and output == "out.ts":
        pytest.skip("a transport stream cannot tell that a picture is turned: see below")
    name, scene = SCENES[what]
    source = make_scene(tmp_path / name, scene)
    file, settings = tmp_path / "found.jsonl", settings_of(crf)
    target = anonymized(source, tmp_path / output, file, settings)
    found = checked(source, target, file, settings)
    assert failed(found) == set(), report_text(found)
    assert f"{scene.frames} of {scene.frames}, same times" in report_text(found)


def test_a_rotation_that_is_lost_is_reported(tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene(rotation=90)), tmp_path / "found.jsonl"
    found = checked(source, anonymized(source, tmp_path / "out.ts", file), file)
    assert failed(found) == {"stream"}, report_text(found)
    assert "rotation: none instead of transposed and flip in" in report_text(found)
