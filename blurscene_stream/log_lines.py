"""Log lines on stderr, plain or JSON: one line a message, without credentials."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.credentials import redacted, redacted_data

log = logging.getLogger("blurscene_stream")

CONTROL_CHARACTERS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}  # -> escaped


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
