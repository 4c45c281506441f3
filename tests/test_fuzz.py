"""Broken inputs of every kind, and runs that are killed: the scripts that try thousands of them, tried with a few."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blurscene_stream import api
from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline import anonymize_video
from blurscene_stream.redact import Redactor
from scripts.fuzz_case import run_case
from scripts.fuzz_inputs import FILMS, Case, fuzz, make_case, make_films
from scripts.kill_runs import kill_runs

CASES, KILLS = 100, 10


def test_broken_inputs(tmp_path: Path) -> None:
    report = fuzz(tmp_path, seed=20, numbers=range(CASES))
    assert report.findings == []
    assert report.cases == CASES
    assert report.codes[0] >= CASES / 10 and report.codes[3] >= CASES / 10  # both are tried
    assert report.frames > 0


def test_a_case_is_the_same_each_time(tmp_path: Path) -> None:
    films = make_films(tmp_path)
    assert films.keys() == FILMS.keys()
    one, other = (make_case(films, 1, 7) for _ in range(2))
    assert one == other
    assert make_case(films, 2, 7) != one


def test_a_run_that_dies_is_a_finding(tmp_path: Path) -> None:
    """A case that takes too long is killed, and the next one is tried."""
    report = fuzz(tmp_path, seed=20, numbers=range(2), case_s=0.01)
    assert [finding.partition(": ")[2] for finding in report.findings] == ["still ran after 0.01 s"] * 2


@pytest.mark.parametrize("piped", [False, True])
def test_a_leak_is_a_finding(piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture is not covered, or not looked at."""
    (tmp_path / "out").mkdir()
    name = "h264.ts" if piped else "h264.mp4"
    case = Case(name, "none", make_films(tmp_path / "films")[name], "out.mkv", piped)
    assert run_case(case, tmp_path)["problems"] == []
    assert vars(api)["anonymize_video"] is anonymize_video, "what comes after it is a run like any other"
    hide = Redactor._redact

    def spare(self: Redactor, frame: Frame, found: Detections) -> Detections:
        return found if frame.number == 3 else hide(self, frame, found)

    monkeypatch.setattr(Redactor, "_redact", spare)
    problems = run_case(case, tmp_path)["problems"]
    assert re.fullmatch(r"\['picture 3 has luma 2\d\d: leaked'\]", str(problems))


def test_killed_runs(tmp_path: Path) -> None:
    found, wrong = kill_runs(tmp_path, KILLS, seed=20)
    assert wrong == []
    assert found.total() == KILLS
