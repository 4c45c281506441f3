"""The process of a command: the signals that stop a run, and garbage collection, which waits until all is imported."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from blurscene_stream.errors import StoppedError

if TYPE_CHECKING:
    from blurscene_stream.pipeline import StopToken

log = logging.getLogger("blurscene_stream")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last: the terminal was closed
SAME_REQUEST_S = 1.0  # timeout(1) signals the process and then its group: that is one request


def resume_collection() -> None:
    """Collect garbage again, if that was disabled for the start of the program; what is there now stays to the end.

    Imports make a hundred thousand objects and no garbage: looking for it takes a tenth of their time.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def end_on_signals() -> None:
    """From now on end the program on the spot on one of STOP_SIGNALS: while it starts, nothing is to be closed.

    An exception would go through libraries that are just being imported, and that swallow or reword it.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # another line is being written just now
            log.error("%s", f"stopped by {signal.Signals(number).name}; nothing was left")
        os._exit(128 + number)

    _handle_signals(end)


def ignore_signals() -> None:
    """From now on take no notice of STOP_SIGNALS: what was to be done is done, and the exit code tells of it."""
    _handle_signals(signal.SIG_IGN)


@contextmanager
def restored_signals() -> Generator[None]:
    """Restore the handling of STOP_SIGNALS on leaving."""
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signals(stop_token: StopToken, outcome: str = "nothing was left") -> Generator[None]:
    """Stop the run in good order on one of STOP_SIGNALS; a later second one ends the program on the spot.

    outcome: state of the output then, for the message
    Afterwards they are ignored: it is too late to stop.
    """
    requests_s: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        requests_s.append(time.monotonic())
        if len(requests_s) == 1:
            name = signal.Signals(number).name
            stop_token.request_stop(StoppedError(f"stopped by {name}; {outcome}", number))
        elif requests_s[-1] - requests_s[0] > SAME_REQUEST_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    with stop_token.reraise_swallowed():
        _handle_signals(handle)
        try:
            yield
        finally:
            ignore_signals()


def _handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # of nohup, which is to last
            signal.signal(number, handler)
