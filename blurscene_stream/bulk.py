"""Many inputs in one run: the tasks that they make, and each of them done on its own.

An error ends its task, and the others go on. To make the tasks nothing is opened.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blurscene_stream.address import Address, parse_address
from blurscene_stream.atomic_file import make_folder
from blurscene_stream.errors import BlurSceneError, DeviceError, SourceError, StoppedError, UsageError
from blurscene_stream.machine import core_count, memory_bytes
from blurscene_stream.paths import (
    ANONYMIZED_SUFFIX,
    IMAGE_FORMATS,
    VIDEO_EXTENSIONS,
    check_exists,
    default_target,
    is_image,
    preview_target,
    walk_folder,
    writable_path,
)

log = logging.getLogger(__name__)

DETECTIONS_EXTENSION = ".jsonl"
READ_EXTENSIONS = VIDEO_EXTENSIONS.union(IMAGE_FORMATS)
MAX_AT_ONCE, CORES_EACH, BYTES_EACH = 8, 4, 2_000_000_000
"""By default: files at once, and what there must be for each: a 4K file takes 2.0 GB, most of it frames that wait."""

FATAL = (StoppedError, DeviceError)  # what ends one task in this way ends the others too


@dataclass(frozen=True, slots=True)
class Task:
    """One input and its outputs.

    detections: file to which the covered boxes of each frame, or of the image, are written; None: no such file
    """

    source: Address
    target: Address
    detections: Address | None = None

    @property
    def image(self) -> bool:
        """True for a still image, False for a video."""
        return is_image(self.source)


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks of a run.

    bulk:    there may be several; each is finished on its own, and a target that exists is left as it is
    ignored: files in the folders that are neither video nor image
    """

    tasks: Sequence[Task]
    bulk: bool = False
    ignored: Sequence[Path] = ()


def plan(inputs: Sequence[str], output: str | None, detections: str | None = None, preview: bool = False) -> Plan:
    """Return the tasks for inputs as they were typed: files, folders with everything below them, or one live source.

    output:     a file for one file, else a folder; None: beside each input, as NAME_anonymized
    detections: a file for one input, else a folder
    preview:    targets are named as not anonymized
    Raises UsageError when a target would be written twice, or into a folder that is read; SourceError when there is
    nothing to read.
    """
    sources = [parse_address(each) for each in inputs]
    if len(sources) == 1 and not _is_folder(sources[0]):
        return Plan([single_task(sources[0], output, detections, preview=preview)])
    for source in sources:
        if not source.local:
            raise UsageError(f"{source}: a live stream or a pipe is no input among others; give it a run of its own")
    tasks, ignored = [], []
    for source in sources:
        folder = _target_folder(source, output, len(sources))
        for path, relative in _entries(source.path):
            if path.suffix.lower() not in READ_EXTENSIONS and path != source.path:
                ignored.append(path)
            else:
                tasks.append(_task(path, relative, folder, detections, preview))
    return Plan(_distinct(_without_outputs(tasks), inputs), bulk=True, ignored=ignored)


def single_task(source: Address, output: str | None, detections: str | None = None, *, preview: bool = False) -> Task:
    """Return the task for one input that is no folder; see `plan`."""
    if output is None:
        target = default_target(source, preview)
    else:
        target = parse_address(output)
        if source.local and _is_folder(target):
            target = Address(str(writable_path(target.path / source.path.name)))
    return Task(
        source,
        preview_target(target) if preview else target,
        None if detections is None else parse_address(detections),
    )


def _task(path: Path, relative: Path, folder: Path | None, detections: str | None, preview: bool) -> Task:
    source = Address(str(path))
    target = default_target(source, preview) if folder is None else Address(str(writable_path(folder / relative)))
    sidecar = None
    if detections is not None:
        sidecar = Address(str(Path(detections, relative.with_name(relative.name + DETECTIONS_EXTENSION))))
    return Task(source, preview_target(target) if preview else target, sidecar)


def _target_folder(source: Address, output: str | None, count: int) -> Path | None:
    """Return the folder for the results of one input; None: beside the input itself."""
    path = source.path
    if not _is_folder(source):
        return None if output is None else Path(output)
    name = path.resolve().name
    if not name:
        raise UsageError(f"{path}: is the root of all folders, too much for one run; name a folder")
    if output is None:
        folder = (path if path.name == name else path.resolve()).with_name(name + ANONYMIZED_SUFFIX)
    else:
        folder = Path(output) if count == 1 else Path(output, name)
    if path.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"{folder}: lies in the folder {path}, which is read; choose an output elsewhere")
    return folder


def _entries(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a file and its name, or all files in a folder and below with their paths in it, in order.

    Linked folders are not followed, and hidden files are left out.
    Raises SourceError.
    """
    check_exists(path)
    if not path.is_dir():
        yield path, Path(path.name)
        return
    for parent, folders, names in walk_folder(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield parent / name, (parent / name).relative_to(path)


def _without_outputs(tasks: Sequence[Task]) -> list[Task]:
    """Leave out inputs that are the target of another one: `*.mp4` names the results of the last run as well."""
    targets = {os.path.realpath(task.target.path) for task in tasks}
    return [task for task in tasks if os.path.realpath(task.source.path) not in targets]


def _distinct(tasks: Sequence[Task], inputs: Sequence[str]) -> Sequence[Task]:
    """Return the tasks. Raises UsageError when two write the same file, SourceError when there is none."""
    if not tasks:
        raise SourceError(f"{', '.join(inputs)}: there is no video and no image to anonymize")
    writer: dict[str, Task] = {}
    for task in tasks:
        for output in filter(None, (task.target, task.detections)):
            first = writer.setdefault(os.path.realpath(output.path), task)
            if first is not task:
                raise UsageError(f"{output}: {first.source} and {task.source} would both be written to it; rename one")
    return tasks


def _is_folder(address: Address) -> bool:
    """Tell whether an address is that of a folder, or of one that is to be made."""
    try:
        return address.local and (address.text.endswith("/") or address.path.is_dir())
    except OSError:  # a name that is too long
        return False


@dataclass(frozen=True, slots=True)
class Done:
    """Counts of a finished task: pictures or frames, and boxes of each class in all of them."""

    frames: int
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Result:
    """End of a task.

    status: "done", "exists" (the target was there already, and was left as it is) or "failed"
    reason: why it failed, without the name of the input
    """

    task: Task
    status: str
    exit_code: int = 0
    seconds: float = 0.0
    done: Done = field(default_factory=lambda: Done(0, {}))
    reason: str = ""


def files_at_once(asked: int, tasks: Sequence[Task], overwrite: bool) -> int:
    """Return how many of the tasks to work on at the same time.

    asked: 0 for as many as this machine, or the container, is made for
    """
    left = len(tasks) if overwrite else sum(not task.target.path.exists() for task in tasks)
    usual = max(1, min(MAX_AT_ONCE, core_count() // CORES_EACH, memory_bytes() // BYTES_EACH))
    return min(asked or usual, left)


def run_task(task: Task, anonymize: Callable[[Task], Done], overwrite: bool) -> Result:
    """Run a task and return how it ended; its error is logged.

    anonymize: does the task, and raises a BlurSceneError when it cannot
    overwrite: replace a target that exists
    Raises StoppedError and DeviceError, and what nobody foresaw.
    """
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
        why = str(error).removeprefix(f"{task.source}: ")
        return Result(task, "failed", error.exit_code, time.monotonic() - start_s, reason=why)
    return Result(task, "done", 0, time.monotonic() - start_s, done)


def worst_exit_code(results: Sequence[Result]) -> int:
    """Return the highest exit code; 0: nothing failed."""
    return max((result.exit_code for result in results), default=0)
