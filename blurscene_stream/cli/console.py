"""The console: log lines on stderr, plain or JSON, and the signals that stop a run."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from types import FrameType
from typing import TYPE_CHECKING

from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.credentials import redacted, redacted_data
from blurscene_stream.errors import StoppedError

if TYPE_CHECKING:
    from blurscene_stream.pipeline import StopToken

log = logging.getLogger("blurscene_stream")

CONTROL_CHARACTERS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}  # -> escaped
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_REQUEST_S = 1.0  # timeout(1) signals the process and then its group: that is one request


def printable(text: str) -> str:
    """Escape line ends and terminal control sequences: file names may hold anything."""
    return text.translate(CONTROL_CHARACTERS).encode("utf-8", "backslashreplace").decode()


class _JsonFormatter(logging.Formatter):
    """Format a record as time, level, message and its `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": stamp, "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(redacted_data(line | getattr(record, "fields", {})), ensure_ascii=False)


class _PlainFormatter(logging.Formatter):
    """Format a record as `logging.format` says, in one printable line; warnings and errors begin with their level."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = printable(redacted(record.message))
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        plain = self._fmt == "%(message)s" and record.levelno > logging.INFO
        return f"blurscene-stream: {record.levelname.lower()}: {line}" if plain else line


class _Handler(logging.Handler):
    """Writes above the progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm = sys.modules.get("tqdm")  # imported with the first progress bar
        write = tqdm.tqdm.write if tqdm else print
        write(self.format(record), file=sys.stderr)


def set_up_logs(settings: LoggingConfig, quiet: bool) -> None:
    """Send the program's log to stderr as `settings` say; quiet: warnings and errors only."""
    handler = _Handler()
    handler.setFormatter(_JsonFormatter() if settings.json else _PlainFormatter(settings.format))
    level = logging.getLevelName(settings.level.upper())
    log.setLevel(max(level, logging.WARNING) if quiet else level)
    log.handlers[:] = [handler]
    log.propagate = False


def end_on_signals() -> None:
    """From now on end the program on the spot on SIGINT (Ctrl-C) or SIGTERM: while it starts, nothing is to be closed.

    An exception would go through libraries that are just being imported, and that swallow or reword it.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # another line is being written just now
            log.error("%s", f"stopped by {signal.Signals(number).name}; nothing was left")
        os._exit(128 + number)

    _handle_signals(end)


def ignore_signals() -> None:
    """From now on take no notice of SIGINT and SIGTERM: what was to be done is done, and the exit code tells of it."""
    _handle_signals(signal.SIG_IGN)


@contextmanager
def restored_signals() -> Generator[None]:
    """Restore the handling of SIGINT and SIGTERM on leaving."""
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signals(stop_token: StopToken, outcome: str = "nothing was left") -> Generator[None]:
    """Stop the run in good order on SIGINT or SIGTERM; a later second one ends the program on the spot.

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
        signal.signal(number, handler)
