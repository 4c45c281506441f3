"""One task after the other, each finished on its own: an error ends its task, the others go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from blurscene_stream.atomic_file import make_folder
from blurscene_stream.bulk.plan import Task
from blurscene_stream.errors import BlurSceneError, DeviceError, StoppedError

log = logging.getLogger(__name__)

FATAL = (StoppedError, DeviceError)  # what ends one task in this way ends the others too


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished task has to tell: pictures or frames, and boxes of each class in all of them."""

    frames: int
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Result:
    """End of a task.

    status: "done", "exists" (the target was there already, and was left as it is) or "failed"
    """

    task: Task
    status: str
    exit_code: int = 0
    seconds: float = 0.0
    done: Done = field(default_factory=lambda: Done(0, {}))


def run_all(tasks: Sequence[Task], anonymize: Callable[[Task], Done], overwrite: bool) -> list[Result]:
    """Run every task and return how each ended; the error of one is logged.

    anonymize: does one task, and raises a BlurSceneError when it cannot
    overwrite: replace targets that exist
    Raises StoppedError and DeviceError, and what nobody foresaw; targets that were finished stay.
    """
    return [_run(task, anonymize, overwrite) for task in tasks]


def worst_exit_code(results: Sequence[Result]) -> int:
    """Return the highest exit code; 0: nothing failed."""
    return max((result.exit_code for result in results), default=0)


def _run(task: Task, anonymize: Callable[[Task], Done], overwrite: bool) -> Result:
    if not overwrite and task.target.path.exists():
        return Result(task, "exists")
    start_s = time.monotonic()
    try:
        make_folder(task.target.path.parent)
        if task.detections is not None:
            make_folder(task.detections.path.parent)
        done = anonymize(task)
    except FATAL:
        raise
    except BlurSceneError as error:
        log.error("%s", str(error))
        return Result(task, "failed", error.exit_code, time.monotonic() - start_s)
    return Result(task, "done", 0, time.monotonic() - start_s, done)
