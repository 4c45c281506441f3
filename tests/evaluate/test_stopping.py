"""Signals to the real `evaluate` and `detect`: they end between two steps, say so in one line and write nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.evaluate import evaluate_command
from tests.conftest import ROOT
from tests.evaluate.scripted_detector import make_picture
from tests.processes import PATIENCE_S, started
from tests.videos import VideoSpec, make_video

COUNT = 200

# The real command line with a detector that needs no weights, that takes its time and says when it detects.
PROGRAM = textwrap.dedent("""
    import signal, sys, time
    from blurscene_stream.pipeline import detection
    from tests.detectors import SquareDetector
    def detect(frames):
        print("looking", file=sys.stderr, flush=True)
        time.sleep(0.05 * len(frames))
    detection.load_configured_detector = SquareDetector(detect).load
    from blurscene_stream import cli
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    cli.main()
""")
BOX = {"label": "license_plate", "xyxy": [10, 10, 30, 20]}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Many pictures, all of them the same."""
    make_picture(tmp_path / "set" / "a.png")
    rows = [json.dumps({"file": "a.png", "boxes": [BOX]})] * COUNT
    (tmp_path / "set" / "labels.jsonl").write_text("\n".join(rows))
    return tmp_path / "set"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip with its truth."""
    made = make_video(tmp_path / "clip.mp4", VideoSpec(COUNT, 64, 48, audio=()))
    objects = [{"track": 1, "visible": 1.0, **BOX}]
    rows = [json.dumps({"frame": number, "pts_s": number / 25, "objects": objects}) for number in range(COUNT)]
    (tmp_path / "clip.truth.jsonl").write_text("\n".join(rows))
    return made


def _stopped(number: signal.Signals, arguments: Sequence[object]) -> tuple[int, str, list[str]]:
    """Exit code, output and errors of the program, to which the signal was sent when it looked the third time."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    with started(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True) as process:
        begun = [process.stderr.readline() for _ in range(3)]
        assert begun == ["looking\n"] * 3
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE_S)
    lines = errors.splitlines()
    assert lines.count("looking") < COUNT / 8 - 5, "it went on"  # calls of the detector that the whole clip needs
    return process.returncode, output, [line for line in lines if line != "looking"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["pictures", "clip"])
def test_evaluate_stops_between_pictures_and_in_the_middle_of_a_clip(
    kind: str, number: signal.Signals, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = (
        [request.getfixturevalue("dataset")] if kind == "pictures" else ["--video", request.getfixturevalue("clip")]
    )
    before = sorted(tmp_path.rglob("*"))
    code, output, errors = _stopped(number, ["evaluate", *source, "--output", tmp_path / "report"])
    assert (code, output) == (128 + number, "")
    assert errors == [f"blurscene-stream: error: stopped by {number.name}; no report was written"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_detect_stops_between_pictures(number: signal.Signals, dataset: Path) -> None:
    code, output, errors = _stopped(number, ["detect", *[dataset / "a.png"] * COUNT])
    assert code == 128 + number
    outcome = "nothing was detected in the pictures that are not printed"
    assert errors == [f"blurscene-stream: error: stopped by {number.name}; {outcome}"]
    lines = [json.loads(line) for line in output.splitlines()]
    assert 2 <= len(lines) < COUNT
    assert output.endswith("\n")


def test_a_report_that_is_being_written_is_finished(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib, the extra 'evaluate'")
    flush = os.fsync

    def interrupted(descriptor: int) -> None:
        signal.raise_signal(signal.SIGTERM)
        flush(descriptor)

    monkeypatch.setattr("os.fsync", interrupted)
    (dataset / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": [BOX]}))
    output = dataset.parent / "report"
    arguments = [dataset, "--output", output, "--device", "cpu", "--size", 96, "--draws", 20]
    assert run(evaluate_command, [str(each) for each in arguments], "blurscene-stream evaluate") == 0
    assert sorted(path.name for path in output.iterdir()) == ["plot.png", "report.json"]
    assert json.loads((output / "report.json").read_text())["report"]["images"] == 1


def test_a_full_disk_leaves_no_half_report(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (dataset / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": [BOX]}))
    output = dataset.parent / "report"
    arguments = [dataset, "--output", output, "--device", "cpu", "--size", 96, "--draws", 20]
    assert run(evaluate_command, [str(each) for each in arguments], "blurscene-stream evaluate") == 9
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{output / 'report.json'}: cannot be written: no space left on device" in line
    assert not list(output.iterdir())
