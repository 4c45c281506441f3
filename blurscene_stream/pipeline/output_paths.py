"""Output paths of videos: their default names, and the refusal of those that would harm."""

from __future__ import annotations

import os
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.audit import check_log
from blurscene_stream.errors import UsageError
from blurscene_stream.sink import FILE_FORMATS, check_output_path, partial_path

ANONYMIZED_SUFFIX = "_anonymized"
PREVIEW_SUFFIX = "_NOT_ANONYMIZED"
FALLBACK_EXTENSION = ".mkv"  # Matroska holds every video and audio codec


def refuse_same(source: Address, target: Address, names: str = "input and output") -> None:
    """Refuse an output that is the input, under whatever name, through whatever link.

    names: what the two are, in words
    Raises UsageError.
    """
    if source.live or target.live:
        same = source.text == target.text
    else:
        read = Path("/dev/stdin") if source.piped else source.path
        written = Path("/dev/stdout") if target.piped else target.path
        final = Path(os.path.realpath(written))
        same = _same_file(read, written) or (not target.piped and _same_file(read, partial_path(final)))
    if same:
        raise UsageError(f"{target}: {names} are the same; choose another file")


def check_detections_path(detections: Address, source: Address, target: Address, overwrite: bool) -> None:
    """Refuse a file of detections that cannot be written, before any work is done for it.

    Raises UsageError when it is live, cannot be made, or is the source or the target under whatever name.
    """
    if detections.live or detections.piped:
        raise UsageError(f"{detections}: detections are only written to a file")
    refuse_same(source, detections, "input and file of detections")
    refuse_same(detections, target, "file of detections and output")
    refuse_same(target, detections, "output and file of detections")
    check_output_path(detections.path, overwrite)


def check_audit(log: Address, source: Address, target: Address, detections: Address | None) -> None:
    """Refuse an audit log that cannot take the run's entry, before any work is done for it.

    Raises UsageError.
    """
    if log.live or log.piped:
        raise UsageError(f"{log}: the audit log is a file")
    for other, what in ((source, "input"), (target, "output"), (detections, "file of detections")):
        if other is not None:
            refuse_same(other, log, f"audit log and {what}")
            refuse_same(log, other, f"audit log and {what}")
    check_log(log.path)


def default_target(source: Address, preview: bool) -> Address:
    """Return the output path when none is given: beside the input, in the same container if that can be written.

    Raises UsageError for what is not a file.
    """
    if source.live or source.piped:
        raise UsageError(f"{source}: what is not a file has no name to call its output by; give an OUTPUT")
    path = source.path
    suffix = path.suffix if path.suffix.lower() in FILE_FORMATS else FALLBACK_EXTENSION
    return Address(str(path.with_name(path.stem + ("" if preview else ANONYMIZED_SUFFIX) + suffix)))


def preview_target(target: Address) -> Address:
    """Return the target under a name that says that it is not anonymized.

    Raises UsageError for a live target and for standard output: nobody could see that it is not anonymized.
    """
    if target.live or target.piped:
        raise UsageError(f"{target}: a preview is not anonymized and is only written to a file")
    path = target.path
    if path.stem.endswith(PREVIEW_SUFFIX):
        return target
    return Address(str(path.with_name(path.stem + PREVIEW_SUFFIX + path.suffix)))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121  # follows links on both sides
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
