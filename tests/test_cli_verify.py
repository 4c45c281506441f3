"""What a user types to prove a video, what is told, and the exit codes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.cli import run
from blurscene_stream.cli.verify import verify_command
from blurscene_stream.cli.video import render_command
from blurscene_stream.frames import Frame
from blurscene_stream.verify import VerifyJob
from tests.detectors import CLASSES
from tests.test_cli_render import run_with_detections
from tests.verify.scenes import ObjectDetector, Scene, frames_changed, make_scene

ONE_VIEW = ("--set", "detect.variants.scales=[1.0]")  # in smaller ones it takes the whole street for a plate
DETECT = ("--size", "160", "--device", "cpu", *ONE_VIEW)


def _verify(*arguments: object) -> int:
    return run(verify_command, [str(argument) for argument in (*arguments, *DETECT)], "blurscene-stream verify")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_scene(folder / "in.mp4", Scene(frames=6))
    return run_with_detections(folder, *ONE_VIEW)


@pytest.fixture
def written(finished_run: Path, tmp_path: Path) -> Path:
    """A folder with in.mp4, and out.mp4 and found.jsonl that the real detector has made of it."""
    return copytree(finished_run, tmp_path, dirs_exist_ok=True)


def test_an_honest_run_is_proved(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = (written / "in.mp4", written / "out.mp4", "--detections", written / "found.jsonl")
    assert _verify(*files, "--no-redetect", "--json", written / "report.json") == 0
    captured = capsys.readouterr()
    *lines, verdict = captured.out.splitlines()
    assert verdict == "PASS" and captured.err == ""
    assert [line.split()[:2] for line in lines] == [
        [name, "ok"] for name in ("frames", "stream", "bytes", "metadata", "audio", "picture", "cover", "residual")
    ]
    assert lines[0] == "frames   ok      6 of 6, same times"
    report = json.loads((written / "report.json").read_text())
    assert (report["verdict"], report["suspects"], report["sheet"]) == ("PASS", [], None)
    assert [check["grade"] for check in report["checks"]] == ["ok"] * 8


def test_without_a_file_the_real_detector_runs_anew(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(written / "in.mp4", written / "out.mp4", "--every", "3") in (0, 5)
    assert "redetect " in capsys.readouterr().out


def test_other_settings_than_those_of_the_run_are_reported(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cover that the check does not expect is a failure, and the likely reason is told."""
    content = (written / "found.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in content]
    for line in lines[1:]:
        line["boxes"] = [{"label": "face", "xyxy": [100, 60, 160, 120]}]
    (written / "found.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = (written / "in.mp4", written / "new.mp4")
    assert run(render_command, [*map(str, files), "--from", str(written / "found.jsonl")], "render") == 0
    capsys.readouterr()
    checked = (*files, "--detections", written / "found.jsonl", "--no-redetect")
    assert _verify(*checked) == 0
    assert _verify(*checked, "--replacewith", "solid") == 4
    captured = capsys.readouterr()
    assert "found.jsonl: was written with other settings" in captured.err
    assert "cover    fail" in captured.out


def test_a_frame_less_is_a_failure(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames_changed(written / "out.mp4", written / "short.mp4", lambda pictures: pictures[:-1], 20)
    code = _verify(
        written / "in.mp4", written / "short.mp4", "--detections", written / "found.jsonl", "--no-redetect", "--quiet"
    )
    output = capsys.readouterr().out
    assert code == 4 and output.endswith("FAIL\n")
    assert "    INPUT has 6 frames, OUTPUT 5\n" in output


def test_an_output_that_is_cut_short_is_a_failure(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (written / "out.mp4").read_bytes()
    (written / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    assert _verify(written / "in.mp4", written / "cut.mp4", "--detections", written / "found.jsonl") == 4
    output = capsys.readouterr().out
    assert "frames   fail    OUTPUT cannot be decoded" in output and "the file is cut short" in output


class _Wary(ObjectDetector):
    """Finds something in the street, which nothing covers."""

    def _find(self, frame: Frame) -> Detections:  # noqa: ARG002
        box = np.array([(230, 150, 262, 182)], np.float32)
        return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES)


@pytest.fixture
def wary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that suspects something: the real one is not foreseeable."""
    monkeypatch.setattr("blurscene_stream.verify.VerifyJob", partial(VerifyJob, load_detector=_Wary().load))


@pytest.mark.usefixtures("wary")
def test_a_second_check_replaces_the_sheet_of_the_first_alone(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = (written / "in.mp4", written / "out.mp4", "--detections", written / "found.jsonl")
    sheet = written / "out_suspects.png"
    assert [_verify(*checked), _verify(*checked)] == [5, 5]
    assert f"suspects are shown in {sheet}\nREVIEW\n" in capsys.readouterr().out
    first = sheet.read_bytes()
    assert _verify(*checked, "--sheet", sheet) == 2, "one that is named is only replaced with -y"
    sheet.write_bytes(b"mine")
    assert _verify(*checked) == 2
    assert sheet.read_bytes() == b"mine"
    capsys.readouterr()
    assert _verify(*checked, "-y") == 2
    assert "out_suspects.png: is no sheet of this program, and is not replaced; move it away" in capsys.readouterr().err
    assert sheet.read_bytes() == b"mine"
    sheet.write_bytes(b"")
    assert _verify(*checked, "-y") == 5
    assert sheet.read_bytes() == first
    assert _verify(*checked, "--sheet", sheet, "-y") == 5


def test_a_document_is_no_report(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json FILE` replaces a report of an earlier check alone."""
    arguments = (written / "in.mp4", written / "out.mp4", "--detections", written / "found.jsonl", "--no-redetect")
    report = written / "report.json"
    report.write_text('{"mine": true}')
    assert _verify(*arguments, "--json", report, "-y") == 2
    assert "report.json: is no report of this program, and is not replaced" in capsys.readouterr().err
    assert report.read_text() == '{"mine": true}'
    report.unlink()
    assert _verify(*arguments, "--json", report) == 0
    assert _verify(*arguments, "--json", report, "-y") == 0


def test_the_sheet_of_an_earlier_check_does_not_stay(
    written: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = (written / "in.mp4", written / "out.mp4", "--detections", written / "found.jsonl")
    sheet = written / "out_suspects.png"
    monkeypatch.setattr("blurscene_stream.verify.VerifyJob", partial(VerifyJob, load_detector=_Wary().load))
    assert _verify(*checked) == 5
    assert _verify(*checked, "--no-redetect") == 0 and sheet.is_file(), "nobody has looked again"
    monkeypatch.setattr(
        "blurscene_stream.verify.VerifyJob", partial(VerifyJob, load_detector=ObjectDetector(lambda _: False).load)
    )
    assert _verify(*checked) == 0
    assert not sheet.exists() and f"{sheet} was of an earlier check, and is removed\nPASS\n" in capsys.readouterr().out


@pytest.mark.usefixtures("wary")
def test_a_sheet_that_cannot_be_written_swallows_no_verdict(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames_changed(written / "out.mp4", written / "short.mp4", lambda pictures: pictures[:-1], 20)
    (written / "short_suspects.png").symlink_to("/proc/short.png")
    code = _verify(written / "in.mp4", written / "short.mp4", "--detections", written / "found.jsonl")
    captured = capsys.readouterr()
    assert code == 9 and "short_suspects.png: cannot be written" in captured.err
    assert "frames   fail" in captured.out and captured.out.endswith("FAIL\n")


@pytest.mark.usefixtures("wary")
def test_areas_in_pixels_do_not_keep_a_sheet_from_being_written(written: Path) -> None:
    """They belong to the video, in which this one lies."""
    files = (written / "in.mp4", written / "new.mp4")
    area = ("--always", "290,200 310,230")
    assert run(render_command, [*map(str, (*files, "--from", written / "found.jsonl", *area))], "render") == 0
    assert _verify(*files, "--detections", written / "found.jsonl", *area) == 5
    assert (written / "new_suspects.png").is_file()


REFUSALS = [  # arguments, exit code, the message
    (("IN",), 2, "OUTPUT is missing"),
    (("none.mp4", "out.mp4"), 1, "none.mp4: there is no such file"),
    (("in.mp4", "none.mp4", "--no-redetect"), 1, "none.mp4: there is no such file"),
    (("in.mp4", "out.mp4", "--detections", "none.jsonl"), 1, "none.jsonl: there is no such file"),
    (("in.mp4", "out.mp4", "--detections", "in.mp4"), 1, "is no file of detections"),
    (
        ("in.mp4", "out.mp4", "--sheet", "found.jsonl"),
        2,
        "found.jsonl: is no sheet of this program",
    ),
    (("in.mp4", "out.mp4", "--json", "out.mp4", "-y"), 2, "output and report are the same"),
    (
        ("in.mp4", "out.mp4", "--detections", "found.jsonl", "--json", "found.jsonl", "-y"),
        2,
        "detections and report are",
    ),
    (("in.mp4", "out.mp4", "--json", "out_suspects.png"), 2, "sheet and report are the same"),
    (("in.mp4", "out.mp4", "--sheet", "in.mp4", "-y"), 2, "input and sheet are the same"),
    (("rtsp://user:secret@127.0.0.1:9/x", "out.mp4"), 2, "what is not a file cannot be verified"),
    (("in.mp4", "out.mp4", "--every", "0"), 2, "0 is not in the range"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_what_cannot_be_verified_is_refused_in_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    written: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(written)
    before = sorted(written.iterdir())
    assert _verify(*arguments) == code
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("blurscene-stream: error: ") and message in error and "secret" not in error
    assert sorted(written.iterdir()) == before


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verify_command, [], "blurscene-stream verify") == 2
    captured = capsys.readouterr()
    assert "Usage: blurscene-stream verify [OPTIONS] INPUT OUTPUT" in captured.err + captured.out
