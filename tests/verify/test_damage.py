"""Damaged pictures, which a run covers whole: that is what is proved of them."""

from __future__ import annotations

from pathlib import Path

import av

from tests.verify.runs import anonymized, checked, failed, report_text
from tests.verify.scenes import ObjectDetector, Scene, make_scene


def damaged(path: Path, number: int) -> Path:
    """The same file with noise in the middle of one packet of its video."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        where, size = packets[number].pos, packets[number].size
    data = bytearray(path.read_bytes())
    assert where is not None
    data[where + size // 2 : where + size // 2 + 40] = bytes(range(40))
    path.write_bytes(data)
    return path


def test_a_run_over_damaged_pictures_is_proved(tmp_path: Path) -> None:
    source = damaged(make_scene(tmp_path / "in.mkv", Scene(frames=30, audio=())), 12)
    file = tmp_path / "found.jsonl"
    target = anonymized(source, tmp_path / "out.mkv", file)
    assert '"corrupt": true' in file.read_text()
    found = checked(source, target, file, detector=ObjectDetector(), every=1)
    assert failed(found) <= {"redetect"}, report_text(found)
    assert all(one.frame < 12 for one in found.suspects), "nothing is seen in what is covered whole"


def test_a_damaged_picture_that_is_shown_fails(tmp_path: Path) -> None:
    whole = make_scene(tmp_path / "whole.mkv", Scene(frames=30, audio=()))
    target = anonymized(whole, tmp_path / "out.mkv")
    (tmp_path / "in.mkv").write_bytes(whole.read_bytes())
    source = damaged(tmp_path / "in.mkv", 12)
    found = checked(source, target, None)
    assert "cover" in failed(found), report_text(found)
