"""The record of a job: what is told of it, kept as a file so that every worker can tell."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from blurscene_stream.atomic_file import write_file


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
    """What is told of a job.

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
        """Return what clients are told."""
        content = asdict(self) | {"state": self.state.name}
        del content["changed_s"]
        return content

    @property
    def age_s(self) -> float:
        """Return for how long it has had its state."""
        return time.monotonic() - self.changed_s


def write_record(path: Path, record: JobRecord) -> None:
    """Write a record, atomically. Raises SinkError."""
    content = record.as_dict() | {"changed_s": record.changed_s}
    write_file(path, json.dumps(content).encode(), overwrite=True)


def read_record(path: Path) -> JobRecord | None:
    """Return the record of a file; None when there is none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return JobRecord(**content | {"state": JobState[content["state"]]})
