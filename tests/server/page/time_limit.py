"""An end for a browser that hangs: after a time its processes are killed, and whoever waits for it gets an error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer


def children(pid: int) -> set[int]:
    """Processes that a process has started and that still run."""
    found: set[int] = set()
    with suppress(OSError):  # it, or one of its threads, has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(each) for each in (task / "children").read_text().split()}
    return found


def descendants(pid: int) -> set[int]:
    """Its children, and theirs."""
    direct = children(pid)
    return direct.union(*(descendants(each) for each in direct))


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """Kill the browsers of this process when the block takes longer. Raises TimeoutError then."""
    start = time.monotonic()
    timer = Timer(seconds, kill_browsers)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    if (took := time.monotonic() - start) > seconds:
        raise TimeoutError(f"the browser was killed after {took:.0f} s")


def kill_browsers() -> None:
    """Kill playwright's drivers, and before them the browsers that they have started."""
    for driver in children(os.getpid()):
        if not _is_driver(driver):
            continue
        for pid in (*descendants(driver), driver):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _is_driver(pid: int) -> bool:
    with suppress(OSError):
        return b"playwright" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
