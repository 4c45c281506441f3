"""What is written to stderr: plain lines, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from tqdm import tqdm

from blurscene_stream.config.schema import LoggingConfig

log = logging.getLogger("blurscene_stream")

ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}  # control characters


def printable(text: str) -> str:
    """One line, and nothing that a terminal takes for a command: names of files may hold anything."""
    return text.translate(ESCAPED).encode("utf-8", "backslashreplace").decode()


class _JsonFormatter(logging.Formatter):
    """Time, level and message, and what a record brings as `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": stamp, "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(line | getattr(record, "fields", {}), ensure_ascii=False)


class _PlainFormatter(logging.Formatter):
    """As `logging.format` says; the level in front of what is not merely told. One printable line a message."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = printable(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        plain = self._fmt == "%(message)s" and record.levelno > logging.INFO
        return f"blurscene-stream: {record.levelname.lower()}: {line}" if plain else line


class _Handler(logging.Handler):
    """Writes above the progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def set_up_logs(settings: LoggingConfig, quiet: bool) -> None:
    """Send the program's log to stderr as `settings` say; quiet: warnings and errors only."""
    handler = _Handler()
    handler.setFormatter(_JsonFormatter() if settings.json else _PlainFormatter(settings.format))
    level = logging.getLevelName(settings.level.upper())
    log.setLevel(max(level, logging.WARNING) if quiet else level)
    log.handlers[:] = [handler]
    log.propagate = False
