"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from blurscene_stream.errors import StoppedError
from blurscene_stream.pipeline import StopToken

SAME_REQUEST_S = 1.0  # timeout(1) signals the process and then its group: that is one request


@contextmanager
def signals(stop_token: StopToken, left: str = "nothing was left") -> Generator[None]:
    """Ctrl-C and SIGTERM end the run in good order; a later second one ends the program on the spot.

    left: what of the output is then there, in words
    """
    asked_s: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        asked_s.append(time.monotonic())
        if len(asked_s) == 1:
            name = signal.Signals(number).name
            stop_token.request_stop(StoppedError(f"stopped by {name}; {left}", number))
        elif asked_s[-1] - asked_s[0] > SAME_REQUEST_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
