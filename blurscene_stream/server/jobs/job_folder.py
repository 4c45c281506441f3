"""The folder of one job: its upload, its result, and its record, which every worker can read."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from blurscene_stream.atomic_file import write_file
from blurscene_stream.errors import SinkError

RECORD = "job.json"
VIDEO, UPLOADED_DETECTIONS = "video", "detections"  # named so in errors
RESULT, DETECTIONS = "result.mp4", "detections.jsonl"
WORKER_ENDED = "the server process that worked on it has ended; send the video again"


class JobState(Enum):
    """State of a job."""

    queued = "waits for its turn"
    running = "is worked on"
    done = "its result can be fetched"
    failed = "there is no result, and `error` says why"

    @property
    def ended(self) -> bool:
        """Whether nobody works on it any more."""
        return self in (JobState.done, JobState.failed)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """State of a job, and what has been done of it.

    frames_total: frames of the video, as its header says; None when it does not
    counts:       boxes that were found of each class, in all frames together
    error:        why there is no result, in one line without paths; None when it has not failed
    changed_s:    when it got its state, on the system's monotonic clock, which all workers share
    """

    state: JobState
    frames_done: int = 0
    frames_total: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    changed_s: float = field(default_factory=time.monotonic)

    def as_dict(self) -> dict[str, Any]:
        """Return the part of it that clients get."""
        content = asdict(self) | {"state": self.state.name}
        del content["changed_s"]
        return content

    @property
    def age_s(self) -> float:
        """Return for how long it has had its state."""
        return time.monotonic() - self.changed_s


class JobFolder:
    """A folder for one job. The worker that looks after the job holds the folder, until the job has ended.

    path: the folder; its name is the job's id
    """

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, path: Path) -> JobFolder:
        """Make the folder, and hold it. Raises OSError."""
        made = path.with_name(f"new-{path.name}")
        made.mkdir(mode=0o700)
        lock = hold(made)
        return cls(made.rename(path), lock)

    @property
    def id(self) -> str:
        """Return the job's id."""
        return self.path.name

    def new_file(self, name: str) -> int:
        """Make a file that nobody else can read; return its descriptor. Raises OSError."""
        return os.open(self.path / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def record(self) -> JobRecord | None:
        """Return the job's record; None when there is none: it was deleted, or its upload is not complete.

        A job that nobody looks after any more has failed.
        """
        record = _read_record(self.path / RECORD)
        if record is None or record.state.ended or is_held(self.path):
            return record
        record = _read_record(self.path / RECORD) or record  # it may have ended in between
        if not record.state.ended:
            record = replace(JobRecord(JobState.failed, error=WORKER_ENDED), frames_done=record.frames_done)
            with suppress(SinkError):
                self.end(record)
        return record

    def write(self, record: JobRecord) -> None:
        """Write the job's record. Raises SinkError, also when the job was deleted."""
        _write_record(self.path / RECORD, record)

    def end(self, record: JobRecord) -> None:
        """Delete what is not needed any more, and write the last record. Raises SinkError."""
        kept = {RECORD} | ({RESULT, DETECTIONS} if record.state is JobState.done else set())
        with suppress(FileNotFoundError):
            for path in self.path.iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)
        self.write(record)

    def release(self) -> None:
        """Let go of the job."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def delete(self) -> None:
        """Delete the job; from now on nobody finds it, and a run over it ends at its next frame."""
        gone = self.path.with_name(f"deleted-{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):  # by another request
            self.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        self.release()


def _write_record(path: Path, record: JobRecord) -> None:
    """Write a record, atomically. Raises SinkError."""
    content = record.as_dict() | {"changed_s": record.changed_s}
    write_file(path, json.dumps(content).encode(), overwrite=True)


def _read_record(path: Path) -> JobRecord | None:
    """Return the record of a file; None when there is none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return JobRecord(**content | {"state": JobState[content["state"]]})


def hold(folder: Path) -> int:
    """Hold a folder until the descriptor that is returned is closed, here and in forked processes.

    Raises BlockingIOError when somebody holds it, another OSError when it is not there.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_held(folder: Path) -> bool:
    """Tell whether a process that lives holds a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # gone, or not ours
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
