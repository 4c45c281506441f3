"""`blurscene-stream evaluate` as a user types it, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.evaluate import evaluate_command
from tests.evaluate.scripted_detector import make_picture


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_picture(tmp_path / "set" / "a.png")
    row = {"file": "a.png", "boxes": [{"label": "face", "xyxy": [10, 10, 30, 40]}]}
    (tmp_path / "set" / "labels.jsonl").write_text(json.dumps(row))
    return tmp_path / "set"


def _run(*arguments: object) -> int:
    return run(evaluate_command, [str(argument) for argument in arguments], "blurscene-stream evaluate")


def test_the_report_is_the_same_every_time(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib, the extra 'evaluate'")
    for name in ("one", "two"):
        common = ("--device", "cpu", "--size", 96, "--draws", 20)
        assert _run(dataset, "--output", tmp_path / name, *common) == 0
    assert "| AP50" in capsys.readouterr().out
    for file in ("report.json", "plot.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    report = json.loads((tmp_path / "one" / "report.json").read_text())
    assert len(report["models"][0]["sha256"]) == 64 and report["settings"]["detect"]["size_px"] == 96
    assert (
        report["report"]["device"].startswith("cpu")
        and report["report"]["classes"]["face"]["recall"]["own"]["count"] == 1
    )
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["plot.png", "report.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Usage"),
        (("set", "--video", "x.mp4"), 2, "give either DATASET or --video"),
        (("set", "--truth", "x.jsonl"), 2, "--truth is for --video"),
        (("nowhere",), 1, "nowhere: there is no such file or folder"),
        (("set", "--map", "cat"), 2, "must be NAME=CLASS"),
        (("--video", "nowhere.mp4"), 2, "its ground truth is missing"),
        (("set", "--thresh", "2"), 2, "[0, 1)"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(dataset.parent)
    assert _run(*arguments) == code
    shown = capsys.readouterr()
    assert message in shown.err + shown.out
    assert not arguments or len(shown.err.strip().splitlines()) == 1


@pytest.mark.parametrize("quiet", [False, True])
def test_on_a_terminal_a_bar_shows_how_far_it_is(
    quiet: bool, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    arguments = ["--device", "cpu", "--size", 96, "--draws", 20, *(["--quiet"] if quiet else [])]
    assert _run(dataset, *arguments) == 0
    captured = capsys.readouterr()
    assert "| AP50" in captured.out
    assert ("/1 [" in captured.err) is not quiet


SMALL = ("--device", "cpu", "--size", 96, "--draws", 20)


def _refused(capsys: pytest.CaptureFixture[str], message: str, *arguments: object) -> None:
    assert _run(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("name", ["report.json", "plot.png"])
def test_what_is_no_report_is_not_replaced(
    name: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib, the extra 'evaluate'")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / name).write_text("mine")
    labels = dataset / "labels.jsonl"
    good = labels.read_text()
    labels.write_text("not read yet")
    what = f"{folder / name}: is no {'report' if name == 'report.json' else 'plot'} of this program"
    for given in ((), ("-y",)):
        _refused(capsys, what, dataset, "--output", folder, *given, *SMALL)
        assert [(file.name, file.read_text()) for file in folder.iterdir()] == [(name, "mine")]
    labels.write_text(good)
    (folder / name).unlink()
    assert _run(dataset, "--output", folder, *SMALL) == 0
    assert _run(dataset, "--output", folder, *SMALL) == 2, "a report is replaced only when that is asked for"
    assert _run(dataset, "--output", folder, "-y", *SMALL) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["plot.png", "report.json"]


@pytest.mark.parametrize("place", ["set", "set/report", "set/new/report", "linked/report"])
@pytest.mark.parametrize("given", ["set", "set/labels.jsonl", "linked"])
def test_a_report_never_becomes_a_part_of_the_data_set(
    given: str, place: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "linked").symlink_to(dataset)
    before = sorted(tmp_path.rglob("*"))
    _refused(capsys, "lies inside the data set", tmp_path / given, "--output", tmp_path / place, "-y", *SMALL)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("output", ["afile/report", "afile/a/b", "nowhere", "nowhere/report", "n" * 300, "taken"])
def test_a_folder_that_cannot_take_the_report_is_refused_before_any_work(
    output: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "afile").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "taken" / "report.json").mkdir(parents=True)
    (dataset / "labels.jsonl").write_text("not read yet")
    before = sorted(tmp_path.rglob("*"))
    _refused(capsys, "choose another", dataset, "--output", tmp_path / output, "-y", *SMALL)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_report_never_takes_the_place_of_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = tmp_path / "report.json"
    truth.write_text("the truth")
    arguments = ("--video", tmp_path / "a.mp4", "--truth", truth, "--output", tmp_path, "-y", *SMALL)
    _refused(capsys, "input and report are the same", *arguments)
    assert truth.read_text() == "the truth"
