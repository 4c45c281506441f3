"""Output paths of images, and the refusal of those that would harm, before any work is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import partial_path
from blurscene_stream.errors import SourceError, UsageError
from blurscene_stream.image import format_for
from blurscene_stream.own_files import DETECTIONS
from blurscene_stream.paths import (
    IMAGE_FORMATS,
    check_exists,
    check_output_path,
    check_report_path,
    preview_target,
    refuse_same,
    walk_folder,
)


@dataclass(frozen=True, slots=True)
class ImageJob:
    """Input and output of a run over images.

    source:     an image, or a folder of them
    target:     a file for a file, a folder for a folder
    overwrite:  replace targets that exist
    preview:    draw boxes and scores instead of redacting; each target is marked as not anonymized
    detections: file that is to tell what was covered in an image; None: no such file
    """

    source: Path
    target: Path
    overwrite: bool = False
    preview: bool = False
    detections: Address | None = None


@dataclass(frozen=True, slots=True)
class FilePair:
    """An image file, and the file that its result is written to."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """All files that a job reads and writes.

    target:  the file or folder that is written to
    skipped: files and linked folders in the source folder that are no images
    """

    job: ImageJob
    target: Path
    pairs: Sequence[FilePair]
    skipped: Sequence[Path] = ()


def plan(job: ImageJob) -> Plan:
    """Plan a run over the source; nothing is written.

    Raises SourceError when there is nothing to read, UsageError when a target cannot be one: it exists and is not to be
    replaced, is the source itself, or lies where the source does.
    """
    if job.source.is_dir():
        return _plan_folder(job)
    check_exists(job.source)
    pair = FilePair(job.source, _preview_path(job.target) if job.preview else job.target)
    refuse_same(Address(str(pair.source)), Address(str(pair.target)))
    format_for(pair.target)
    check_output_path(pair.target, job.overwrite)
    if job.detections is not None:
        others = (("input", Address(str(pair.source))), ("output", Address(str(pair.target))))
        check_report_path(job.detections, DETECTIONS, others, job.overwrite)
    return Plan(job, pair.target, [pair])


def _plan_folder(job: ImageJob) -> Plan:
    if job.detections is not None:
        raise UsageError(f"{job.source}: is a folder, and a file of detections is that of one picture; give a picture")
    _refuse_nested_folders(job)
    images, skipped = _find_images(job.source)
    if not images:
        raise SourceError(f"{job.source}: holds no picture; their endings are {' '.join(IMAGE_FORMATS)}")
    pairs = []
    for image in images:
        target = job.target / image.relative_to(job.source)
        pairs.append(FilePair(image, _preview_path(target) if job.preview else target))
    targets = {pair.target for pair in pairs}
    if len(targets) < len(pairs):  # a.png and a_NOT_ANONYMIZED.png
        raise UsageError(f"{job.source}: the previews of two pictures would have the same name; take one of them away")
    _refuse_input_files(pairs)
    for target in sorted(targets):
        if target.parent.exists():
            check_output_path(target, job.overwrite)
    return Plan(job, job.target, pairs, skipped)


def _preview_path(target: Path) -> Path:
    return preview_target(Address(str(target))).path


def _refuse_nested_folders(job: ImageJob) -> None:
    """A folder within the other one would be read and written at once."""
    if job.target.exists() and not job.target.is_dir():
        raise UsageError(f"{job.target}: is not a folder, and {job.source} is one; choose another output")
    source, target = job.source.resolve(), job.target.resolve()
    if source == target:
        raise UsageError(f"{job.target}: input and output are the same; choose another output")
    if source in target.parents or target in source.parents:
        raise UsageError(f"{job.target}: input and output lie in one another; choose an output elsewhere")
    if not job.target.parent.is_dir():
        raise UsageError(f"{job.target}: there is no folder {job.target.parent}; make it first")


def _find_images(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images in `folder` and below, by their file extensions, and everything else; both in order."""
    images: list[Path] = []
    others: list[Path] = []
    for parent, folders, names in walk_folder(folder):
        others += [parent / name for name in folders if (parent / name).is_symlink()]  # not followed
        for name in names:
            path = parent / name
            (images if path.suffix.lower() in IMAGE_FORMATS else others).append(path)
    return images, others


def _refuse_input_files(pairs: Sequence[FilePair]) -> None:
    """An input is never touched, under whatever name, a link among them, a target reaches it."""
    inputs = {_file_id(pair.source) for pair in pairs}
    for pair in pairs:
        final = Path(os.path.realpath(pair.target))
        for place in (final, partial_path(final)):
            if (identity := _file_id(place)) is not None and identity in inputs:
                raise UsageError(f"{pair.target}: is one of the pictures of the input; choose another output")


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
