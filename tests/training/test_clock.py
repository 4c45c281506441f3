"""The clock of training: the end that was given, and one that is said later."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.training.clock import Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The second of the epoch, which the test turns on."""
    current = [1000.0]
    monkeypatch.setattr(time, "time", lambda: current[0])
    return current


def test_it_ends_after_so_many_minutes(now: list[float], tmp_path: Path) -> None:
    clock = Clock(10, tmp_path / "never")
    now[0] = 1300
    assert (clock.seconds(), clock.progress()) == (300, 0.5)


def test_the_end_can_be_said_and_changed_later(now: list[float], tmp_path: Path) -> None:
    file = tmp_path / "deadline"
    clock = Clock(10, file)
    now[0] = 1300
    file.write_text("")  # the shell has made it and has not written yet
    assert clock.progress() == 0.5
    file.write_text("1400\n")
    assert clock.progress() == 0.75
    file.write_text("2200\n")
    assert clock.progress() == 0.25
    file.unlink()
    assert clock.progress() == 0.25, "what was said holds"


@pytest.mark.parametrize("text", ["900", "1000", "ten minutes", "-5"])
def test_what_is_no_end_of_this_run_is_told_once_and_ignored(
    now: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """An end before the beginning was left by an earlier run."""
    (tmp_path / "deadline").write_text(text)
    clock = Clock(10, tmp_path / "deadline")
    now[0] = 1300
    assert clock.progress() == clock.progress() == 0.5
    assert len(caplog.messages) == 1 and "deadline: holds no second of the epoch after" in caplog.messages[0]
