"""The files that a run reads, and the one that it writes for each of them; nothing is opened for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blurscene_stream.address import Address, parse_address
from blurscene_stream.errors import SourceError, UsageError
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

DETECTIONS_EXTENSION = ".jsonl"
READ_EXTENSIONS = VIDEO_EXTENSIONS.union(IMAGE_FORMATS)


@dataclass(frozen=True, slots=True)
class Task:
    """One input and its outputs.

    detections: file to which the covered boxes of each frame are written; None: no such file
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
    detections: a file for one video, else a folder
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
    if detections is not None and not is_image(source):
        sidecar = Address(str(Path(detections, relative.with_name(relative.name + DETECTIONS_EXTENSION))))
    return Task(source, preview_target(target) if preview else target, sidecar)


def _target_folder(source: Address, output: str | None, count: int) -> Path | None:
    """Return the folder for the results of one input; None: beside the input itself."""
    path = source.path
    if not _is_folder(source):
        return None if output is None else Path(output)
    name = path.resolve().name
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
        first = writer.setdefault(os.path.realpath(task.target.path), task)
        if first is not task:
            raise UsageError(f"{task.target}: {first.source} and {task.source} would both be written to it; rename one")
    return tasks


def _is_folder(address: Address) -> bool:
    """Tell whether an address is that of a folder, or of one that is to be made."""
    try:
        return address.local and (address.text.endswith("/") or address.path.is_dir())
    except OSError:  # a name that is too long
        return False
