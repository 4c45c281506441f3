"""Where the output goes; not to the source itself, nor a preview to where it could be taken for the real thing."""

from __future__ import annotations

import os
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.audit import check_log
from blurscene_stream.errors import UsageError
from blurscene_stream.sink import FILE_FORMATS, check_output_path, partial_path

MARK = "_anonymized"
PREVIEW_MARK = "_NOT_ANONYMIZED"
ANY_VIDEO = ".mkv"  # holds every video and every sound


def refuse_same(source: Address, target: Address, names: str = "input and output") -> None:
    """An input is never touched, under whatever name the output reaches it.

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


def check_beside(beside: Address, source: Address, target: Address, overwrite: bool) -> None:
    """Refuse a file that is to be written beside the target, before any work is done for it.

    Raises UsageError when it is live, cannot be made, or is the source or the target under whatever name.
    """
    if beside.live or beside.piped:
        raise UsageError(f"{beside}: detections are only written to a file")
    refuse_same(source, beside, "input and file of detections")
    refuse_same(beside, target, "file of detections and output")
    refuse_same(target, beside, "output and file of detections")
    check_output_path(beside.path, overwrite)


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
    """Where the output goes when nobody says: beside the input, in the same kind of file if that can be written.

    Raises UsageError for what is not a file.
    """
    if source.live or source.piped:
        raise UsageError(f"{source}: what is not a file has no name to call its output by; give an OUTPUT")
    path = source.path
    suffix = path.suffix if path.suffix.lower() in FILE_FORMATS else ANY_VIDEO
    return Address(str(path.with_name(path.stem + ("" if preview else MARK) + suffix)))


def preview_target(target: Address) -> Address:
    """The target under a name that says what is in it.

    Raises UsageError for a live target and for standard output: nobody could see that it is not anonymized.
    """
    if target.live or target.piped:
        raise UsageError(f"{target}: a preview is not anonymized and is only written to a file")
    path = target.path
    if path.stem.endswith(PREVIEW_MARK):
        return target
    return Address(str(path.with_name(path.stem + PREVIEW_MARK + path.suffix)))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121  # follows links on both sides
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
