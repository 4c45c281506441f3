"""Entries of the audit log: the record of a run, and a check of the files that the entries name."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from blurscene_stream.address import Address
from blurscene_stream.audit.hash_chain import Entry, append
from blurscene_stream.audit.read_file import ReadFile, sha256_of
from blurscene_stream.config.schema import Settings
from blurscene_stream.config.serialization import models, program, settings_of_results, settings_sha256
from blurscene_stream.credentials import redacted_data
from blurscene_stream.errors import SinkError, reason

WITHDRAWN = "withdrawn"  # key of an entry that takes another one back, by its checksum


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run over one video that has come to its end.

    input_file: the source where it is a file; None for a camera or a pipe, which keep no bytes
    detections: file that the detections were read from; None: the detector made them
    start:      time at which it began
    counts:     further keys of the entry, as JSON has them
    """

    source: Address
    target: Address
    preview: bool
    input_file: ReadFile | None
    detections: ReadFile | None
    start: datetime
    counts: Mapping[str, object]


def append_run(log: Path, run: RunRecord, settings: Settings, output: BinaryIO | None) -> Entry:
    """Append an entry for a run whose output is complete, but for its name.

    output: the file itself; None when it is no file
    Raises SourceError when the input can no longer be read, CorruptInputError when it was changed meanwhile, SinkError
    when the output or the log cannot be read or written.
    """
    source = _unattested(run.source) if run.input_file is None else run.input_file.attest()
    detections = None if run.detections is None else run.detections.attest()
    target = _unattested(run.target)
    if output is not None:
        try:
            target |= {"bytes": os.fstat(output.fileno()).st_size, "sha256": sha256_of(output)}
        except OSError as error:
            raise SinkError(f"{run.target}: cannot be read again for the audit: {reason(error)}") from error
    content = {
        "started": _iso(run.start),
        "ended": _iso(datetime.now(timezone.utc)),
        "program": program(),
        "models": models(settings) if detections is None else [],
        "settings_sha256": settings_sha256(settings),
        "settings": redacted_data(settings_of_results(settings)),
    }
    # names of files stay as they are, to be found again; those of cameras hold no credentials
    files = {"input": source, "detections": detections, "output": target | {"preview": run.preview}}
    return append(log, content | files | {key: redacted_data(value) for key, value in run.counts.items()})


@contextmanager
def withdraw_on_error(log: Path, entry: Entry) -> Generator[None]:
    """Append an entry that withdraws `entry` when the body fails: the output has not become what it says."""
    try:
        yield
    except BaseException:
        with suppress(SinkError):  # the first error is on its way up
            append(log, {WITHDRAWN: entry["sha256"]})
        raise


def _unattested(address: Address) -> dict[str, object]:
    """Name of a camera, a server or a pipe, which keep no bytes."""
    return {"name": str(address), "bytes": None, "sha256": None}


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Result of comparing the files that a log names with their checksums.

    files:   how many it names
    changed: those that are missing or differ from the latest entry about them, in words
    """

    files: int
    changed: tuple[str, ...]


def check_files(entries: Sequence[Entry], log: Path) -> FileCheck:
    """Compare all files that the entries of a log name with their checksums.

    Names that are not absolute are relative to the run's working folder, which the log does not hold: they are looked
    up in the present one, then in the folder of the log.
    """
    withdrawn = {entry[WITHDRAWN] for entry in entries if isinstance(entry.get(WITHDRAWN), str)}
    latest: dict[str, Mapping[str, object]] = {}
    odd = []
    for entry in entries:
        for key in ("input", "detections", "output"):
            file = entry.get(key)
            if not file or entry["sha256"] in withdrawn:
                continue
            if not _is_named_file(file):
                odd.append(f"{log}: entry {entry['entry']}: its {key} is not described as a file")
            elif file["sha256"]:
                latest[_located(file["name"], log)] = file
    differences = ((file["name"], _difference(path, file)) for path, file in latest.items())
    changed = [f"{name}: {difference}" for name, difference in differences if difference]
    return FileCheck(len(latest) + len(odd), (*odd, *changed))


def _is_named_file(file: object) -> bool:
    """Whether that is what `append_run` writes of a file: a log may be of another hand, with its checksums right."""
    if not isinstance(file, Mapping) or not isinstance(name := file.get("name"), str) or "\0" in name:
        return False
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return "sha256" in file and isinstance(file["sha256"], str | None)


def _located(name: str, log: Path) -> str:
    """Real path of a file of that name; in the working folder when it is nowhere."""
    beside = os.path.realpath(log.parent / name)
    here = os.path.realpath(name)
    return beside if os.path.exists(beside) and not os.path.exists(here) else here  # noqa: PTH110  # of any length


def _difference(path: str, recorded: Mapping[str, object]) -> str:
    """Compare a file with what was recorded of it. Only regular files are opened: others may wait, or have no end."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # of any length
            return "is not a regular file any more"
        if recorded.get("bytes") not in (None, os.stat(path).st_size):  # noqa: PTH116
            return "has changed since"
        with Path(path).open("rb") as file:
            return "" if sha256_of(file) == recorded["sha256"] else "has changed since"
    except FileNotFoundError:
        return "is not there any more"
    except OSError as error:
        return f"cannot be read: {reason(error)}"
