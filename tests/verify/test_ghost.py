"""Ghosts: a redacted picture with a little of the raw one mixed in: the face is seen, and no window differs much."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RedactMethod
from blurscene_stream.pipeline import Callbacks, Job, StopToken, render_video
from blurscene_stream.verify import Grade
from tests.settings import changed
from tests.verify.conftest import Honest
from tests.verify.runs import anonymized, check_of, checked, failed, report_text, settings_of
from tests.verify.scenes import Picture, Scene, frames_changed, make_scene


def _pictures(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(), np.uint8) for frame in container.decode(video=0)]


def _mixed(raw: Path, target: Path, output: Path, share: float) -> Path:
    """Mix `share` of the raw pictures into those of an output; they are the same outside the covers."""
    originals = _pictures(raw)

    def change(pictures: list[Picture]) -> list[Picture]:
        pairs = zip(originals, pictures, strict=True)
        return [np.asarray(np.round(share * one + (1 - share) * other), np.uint8) for one, other in pairs]

    return frames_changed(target, output, change, 20)


@pytest.mark.parametrize("method", RedactMethod)
@pytest.mark.parametrize("share", [0.1, 0.15])
def test_a_ghost_fails(share: float, method: RedactMethod, honest: Honest, tmp_path: Path) -> None:
    settings = changed(settings_of(), {"redact.method": method})
    job = Job(Address(str(honest.source)), Address(str(tmp_path / "out.mp4")))
    render_video(job, honest.file, settings, Callbacks(), StopToken())
    assert failed(honest.verify(tmp_path / "out.mp4", settings)) == set()
    found = honest.verify(_mixed(honest.source, tmp_path / "out.mp4", tmp_path / "ghost.mp4", share), settings)
    assert check_of(found, "residual").grade is Grade.fail, report_text(found)
    assert "a face near x" in report_text(found) and "shines through its cover" in report_text(found)


def test_a_negative_ghost_fails(honest: Honest, tmp_path: Path) -> None:
    """As good as a positive one to whoever knows."""
    found = honest.verify(_mixed(honest.source, honest.target, tmp_path / "ghost.mp4", -0.15))
    assert check_of(found, "residual").grade is Grade.fail, report_text(found)


def test_a_ghost_in_a_video_of_three_frames_fails(tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene(frames=3, audio=())), tmp_path / "found.jsonl"
    target = anonymized(source, tmp_path / "out.mp4", file)
    assert failed(checked(source, target, file)) == set()
    found = checked(source, _mixed(source, target, tmp_path / "ghost.mp4", 0.15), file)
    assert check_of(found, "residual").grade is Grade.fail, report_text(found)


def test_a_ghost_of_some_frames_alone_fails(honest: Honest, tmp_path: Path) -> None:
    originals = _pictures(honest.source)

    def change(pictures: list[Picture]) -> list[Picture]:
        for number in range(8):
            pictures[number] = np.asarray(np.round(0.15 * originals[number] + 0.85 * pictures[number]), np.uint8)
        return pictures

    found = honest.verify(frames_changed(honest.target, tmp_path / "ghost.mp4", change, 20))
    assert check_of(found, "residual").grade is Grade.fail, report_text(found)
