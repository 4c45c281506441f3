"""A run of the program in its own process: it can be signalled, and one that hangs can be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

START_S = 40  # of a slow machine with much else to do
QUICK = {"rtsp.open_timeout_s": 6, "rtsp.read_timeout_s": 2, "rtsp.write_timeout_s": 2}
HIDDEN_LUMA = 120  # what covered places show: neither the test camera's black nor its white
COVER = ("--replacewith", "solid", "--set", f"redact.solid_luma={HIDDEN_LUMA}")


@dataclass(frozen=True)
class Outcome:
    """What is left of a run.

    said:   everything on stdout and stderr, line by line
    wait_s: how long we waited for its end
    noted:  the driver's report
    """

    code: int
    said: list[str]
    wait_s: float
    noted: dict[str, Any]

    def failed_with(self, code: int, *words: str) -> None:
        """One line that holds `words`, the exit code `code`, and no password."""
        assert self.code == code, self.said
        assert len(self.said) == 1, self.said
        assert all(word in self.said[0] for word in ("blurscene-stream: error: ", *words)), self.said
        assert "secret" not in self.said[0]


class Run:
    """`blurscene-stream SOURCE TARGET`, with the detector of tests/rtsp/driver.py."""

    def __init__(self, folder: Path, source: str, target: str, delay_s: float, options: Sequence[str]) -> None:
        self._report = folder / f"report-{time.monotonic_ns()}.json"
        settings = [word for key, value in QUICK.items() for word in ("--set", f"{key}={value}")]
        driver = [sys.executable, "-m", "tests.rtsp.driver", str(self._report), str(delay_s)]
        self._said = self._report.with_suffix(".log")
        with self._said.open("w") as said:
            command = [*driver, source, target, "--quiet", *COVER, *settings, *options]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)

    def wait_going(self) -> None:
        """Until some frames were written."""
        deadline = time.monotonic() + START_S
        while not self._report.with_suffix(".going").exists():
            assert self._process.poll() is None, self._said.read_text()
            assert time.monotonic() < deadline, "no frame was written"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        self._process.send_signal(number)

    def end(self, limit_s: float = START_S) -> Outcome:
        """Wait for the end. A run that takes longer than `limit_s` is a failed test."""
        start_s = time.monotonic()
        try:
            code = self._process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program still runs after {limit_s} s") from None
        noted = json.loads(self._report.read_text())
        return Outcome(code, self._said.read_text().splitlines(), time.monotonic() - start_s, noted)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def started(folder: Path, source: str, target: str | Path, *options: str, delay_s: float = 0.0) -> Generator[Run]:
    run = Run(folder, source, str(target), delay_s, options)
    try:
        yield run
    finally:
        run.close()
