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


def test_an_end_before_the_beginning_ends_at_once(now: list[float], tmp_path: Path) -> None:
    (tmp_path / "deadline").write_text("900")
    clock = Clock(10, tmp_path / "deadline")
    now[0] = 1001
    assert clock.progress() >= 1


def test_what_is_no_second_of_the_epoch_is_told_once_and_ignored(
    now: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "deadline").write_text("ten minutes")
    clock = Clock(10, tmp_path / "deadline")
    now[0] = 1300
    assert clock.progress() == clock.progress() == 0.5
    assert len(caplog.messages) == 1 and "deadline: holds no whole second" in caplog.messages[0]
