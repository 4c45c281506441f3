"""A test of threads that hangs fails, instead of blocking whoever waits for it."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Generator
from types import FrameType

import pytest

LONGEST_TEST_S = 60
LONGEST_REST_S = 300  # for the tests that follow one that has left a stuck thread behind


@pytest.fixture(autouse=True)
def _in_time() -> Generator[None]:
    def hung(_number: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback_later(LONGEST_REST_S, exit=True)
        raise TimeoutError(f"the test has not ended after {LONGEST_TEST_S} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(LONGEST_TEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
