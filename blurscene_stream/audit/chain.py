"""A file of entries, one JSON object a line. Each holds a checksum of itself and that of the one before.

So nobody changes, removes or moves an entry without changing all that come after it. Who can write the file can still
make it anew from any point, or cut its end off: the checksum of the last entry, kept elsewhere, stands for all of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from blurscene_stream.errors import SinkError, SourceError, UsageError, reason
from blurscene_stream.json_lines import LineError, keys, loaded
from blurscene_stream.sink import check_output_path

FORMAT, VERSION = "blurscene-stream audit", 1
LONGEST_LINE_BYTES = 16 << 20
NEEDED = ("format", "format_version", "entry", "previous_sha256", "sha256")

Entry = dict[str, Any]


def checksum(entry: Mapping[str, object]) -> str:
    """SHA-256 of an entry's JSON, with sorted keys and no spaces, without its own checksum."""
    told = {key: value for key, value in entry.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def append(path: Path, content: Mapping[str, object]) -> Entry:
    """Add an entry, chained to the last one; several programs may do so at the same time.

    Raises SinkError: then the file is as it was.
    """
    try:
        # not buffered: what a full disk does not take must not be written later, when the file is closed
        with path.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last(file)
            place = {"entry": 0, "previous_sha256": None}
            if last is not None:
                place = {"entry": last["entry"] + 1, "previous_sha256": last["sha256"]}
            entry: Entry = {"format": FORMAT, "format_version": VERSION, **place, **content}
            entry["sha256"] = checksum(entry)
            _write(file, json.dumps(entry, allow_nan=False, default=str).encode() + b"\n")
    except LineError as error:
        raise SinkError(f"{path}: the last line {error}; give the audit another file") from error
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {reason(error)}; it is as it was") from error
    return entry


def _write(file: FileIO, line: bytes) -> None:
    """The whole line, or none of it."""
    size = file.seek(0, os.SEEK_END)
    try:
        left = memoryview(line)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except BaseException:
        file.truncate(size)  # not deleted, even if it is empty: another program may have it open
        raise


def check_log(path: Path) -> None:
    """Refuse a file that cannot take another entry, before any work is done for it.

    Raises UsageError.
    """
    check_output_path(path, overwrite=True)  # it is added to, not replaced
    try:
        if path.exists():
            with path.open("rb") as file:
                _last(file)
    except LineError as error:
        raise UsageError(f"{path}: the last line {error}; give the audit another file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason(error)}; choose another name") from error


def entries(path: Path) -> Generator[tuple[int, Entry | LineError]]:
    """Line number and entry, or what is wrong with the line.

    Raises SourceError when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE_BYTES):
                number += 1
                try:
                    yield number, _parsed(line)
                except LineError as error:
                    yield number, error
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error


def verify(path: Path, known: str | None = None) -> tuple[list[Entry], list[str]]:
    """All entries, and what is wrong with the file, in words; nothing when it is as it was written.

    known: the checksum of an entry that must be there
    Raises SourceError when the file cannot be read.
    """
    whole: list[Entry] = []
    wrong: list[str] = []
    previous: str | None = None
    for number, entry in entries(path):
        if isinstance(entry, LineError):
            wrong.append(f"{path}: line {number} {entry}")
            previous = None
            continue
        if checksum(entry) != entry["sha256"]:
            wrong.append(f"{path}: line {number} was changed after it was written")
        if (entry["entry"], entry["previous_sha256"]) != (number - 1, previous):
            wrong.append(f"{path}: line {number} does not follow the one before: one was removed, added or moved")
        previous = entry["sha256"]
        whole.append(entry)
    if not whole and not wrong:
        wrong.append(f"{path}: holds no entry")
    if known and known not in {entry["sha256"] for entry in whole}:
        wrong.append(f"{path}: there is no entry {known}: the end was cut off, or the file was made anew")
    return whole, wrong


def _last(file: BinaryIO | FileIO) -> Entry | None:
    """The last entry of a file, which may be empty. Raises LineError."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_LINE_BYTES))
    lines = file.read().splitlines(keepends=True)
    if not lines:
        return None
    entry = _parsed(lines[-1])
    if checksum(entry) != entry["sha256"]:
        raise LineError("was changed after it was written")
    return entry


def _parsed(line: bytes) -> Entry:
    """Raises LineError for what is no entry."""
    if not line.endswith(b"\n"):
        raise LineError("is cut short")
    content = keys(loaded(line), NEEDED, None)
    if content["format"] != FORMAT or content["format_version"] != VERSION:
        raise LineError("is no entry of an audit")
    if type(content["entry"]) is not int or not isinstance(content["sha256"], str):
        raise LineError("is no entry of an audit")
    return dict(content)
