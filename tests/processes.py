"""Programs that tests start: none outlives its test, and nothing waits for one without a limit."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO, Any

PATIENCE_S = 60
"""What a slow machine with much else to do may take; nothing that works takes as long."""


class Process(subprocess.Popen[Any]):
    """A program that runs. It has the streams for which a test has asked by PIPE, and a test uses no other."""

    stdin: IO[Any]
    stdout: IO[Any]
    stderr: IO[Any]


@contextmanager
def started(command: Sequence[object], limit_s: float = PATIENCE_S, **options: Any) -> Generator[Process]:
    """Start a program, and wait for its end after the block.

    It is killed after `limit_s`, so that reading from it comes to an end too, and at once when the block raises.
    options: those of `subprocess.Popen`
    """
    process = Process([str(word) for word in command], **options)
    guard = Timer(limit_s, process.kill)
    guard.start()
    try:
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
    finally:
        guard.cancel()
        guard.join()


@contextmanager
def not_under_nohup() -> Generator[None]:
    """Let a program that is started here end when its terminal closes, even where these tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def wait_until(condition: Callable[[], object], limit_s: float = PATIENCE_S, pause_s: float = 0.01) -> None:
    """Wait until `condition` holds; raise AssertionError after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, f"still not so after {limit_s:g} s"
        time.sleep(pause_s)


def wait_until_idle(process: Process, quiet_s: float = 0.3) -> None:
    """Wait until a program waits itself: until it uses no processor time for `quiet_s`."""

    def is_idle() -> bool:
        before = _ticks(process)
        time.sleep(quiet_s)
        return _ticks(process) == before

    wait_until(is_idle)


def _ticks(process: Process) -> list[str]:
    """Processor time of a program so far, in user and system mode, see proc_pid_stat(5)."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]


def lines_before(line: str, stream: IO[str]) -> list[str]:
    """Read lines up to `line`, and return those before it; raise AssertionError when the stream ends without it."""
    before: list[str] = []
    for each in iter(stream.readline, ""):
        if each == line:
            return before
        before.append(each)
    raise AssertionError(f"{line!r} did not come, but {before}")


def listens(process: Process) -> bool:
    """Whether a program has its own way with SIGTERM by now; raise AssertionError when it has ended."""
    assert process.poll() is None, f"it has ended, with code {process.returncode}"
    (caught,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
