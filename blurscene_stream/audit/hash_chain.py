"""Hash chain: a file of entries, one JSON object a line, each with the SHA-256 of itself and of the one before.

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
from blurscene_stream.json_lines import LineError, parse_line, require_object
from blurscene_stream.paths import check_output_path

FORMAT, VERSION = "blurscene-stream audit", 1
MAX_LINE_BYTES = 16 << 20
REQUIRED_KEYS = ("format", "format_version", "entry", "previous_sha256", "sha256")

Entry = dict[str, Any]


def checksum(entry: Mapping[str, object]) -> str:
    """Return the SHA-256 of an entry's JSON, with sorted keys and no spaces, without its own checksum."""
    content = {key: value for key, value in entry.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def append(path: Path, content: Mapping[str, object]) -> Entry:
    """Append an entry, chained to the last one; several programs may do so at the same time.

    Raises SinkError: then the file is as it was.
    """
    try:
        # not buffered: what a full disk does not take must not be written later, when the file is closed
        with path.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last_entry(file)
            link = {"entry": 0, "previous_sha256": None}
            if last is not None:
                link = {"entry": last["entry"] + 1, "previous_sha256": last["sha256"]}
            entry: Entry = {"format": FORMAT, "format_version": VERSION, **link, **content}
            entry["sha256"] = checksum(entry)
            _write(file, json.dumps(entry, allow_nan=False, default=str).encode() + b"\n")
    except LineError as error:
        raise SinkError(f"{path}: the last line {error}; give the audit another file") from error
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {reason(error)}; it is as it was") from error
    return entry


def _write(file: FileIO, line: bytes) -> None:
    """Write the whole line, or none of it."""
    size = file.seek(0, os.SEEK_END)
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[file.write(rest) :]
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
                fcntl.flock(file, fcntl.LOCK_SH)  # another run may be writing its line just now
                _last_entry(file)
    except LineError as error:
        raise UsageError(f"{path}: the last line {error}; give the audit another file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason(error)}; choose another name") from error


def read_entries(path: Path) -> Generator[tuple[int, Entry | LineError]]:
    """Yield line number and entry, or the error of the line.

    Raises SourceError when the file cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path}: is not a regular file, an audit log is expected")
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                try:
                    yield number, _parse_entry(line)
                except LineError as error:
                    yield number, error
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error


def verify_log(path: Path, known: str | None = None) -> tuple[list[Entry], list[str]]:
    """Return all entries, and the problems of the file, in words; no problems when it is as it was written.

    known: checksum of an entry that must be there
    Raises SourceError when the file cannot be read.
    """
    valid: list[Entry] = []
    problems: list[str] = []
    previous: str | None = None
    for number, entry in read_entries(path):
        if isinstance(entry, LineError):
            problems.append(f"{path}: line {number} {entry}")
            previous = None
            continue
        if checksum(entry) != entry["sha256"]:
            problems.append(f"{path}: line {number} was changed after it was written")
        if (entry["entry"], entry["previous_sha256"]) != (number - 1, previous):
            problems.append(f"{path}: line {number} does not follow the one before: one was removed, added or moved")
        previous = entry["sha256"]
        valid.append(entry)
    if not valid and not problems:
        problems.append(f"{path}: holds no entry")
    if known and known not in {entry["sha256"] for entry in valid}:
        problems.append(f"{path}: there is no entry {known}: the end was cut off, or the file was made anew")
    return valid, problems


def _last_entry(file: BinaryIO | FileIO) -> Entry | None:
    """Return the last entry, None of an empty file. Raises LineError."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_LINE_BYTES))
    lines = file.read().splitlines(keepends=True)
    if not lines:
        return None
    entry = _parse_entry(lines[-1])
    if checksum(entry) != entry["sha256"]:
        raise LineError("was changed after it was written")
    return entry


def _parse_entry(line: bytes) -> Entry:
    """Parse a line. Raises LineError when it is no entry."""
    if not line.endswith(b"\n"):
        raise LineError("is cut short")
    content = require_object(parse_line(line), REQUIRED_KEYS, None)
    if content["format"] != FORMAT or content["format_version"] != VERSION:
        raise LineError("is no entry of an audit")
    if type(content["entry"]) is not int or not isinstance(content["sha256"], str):
        raise LineError("is no entry of an audit")
    return dict(content)
