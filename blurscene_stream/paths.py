"""Paths of inputs and outputs: refused before any work is done for them, and named where no name is given."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import container_advice, partial_path
from blurscene_stream.errors import SourceError, UsageError, reason
from blurscene_stream.own_files import OwnFile

FILE_FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
}
"""File ending -> FFmpeg's name of the muxer."""
IMAGE_FORMATS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
"""File ending -> format of a still image."""
VIDEO_EXTENSIONS = frozenset(
    (*FILE_FORMATS, ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".3g2", ".mxf", ".vob", ".ogv", ".asf", ".dav")
)
"""Endings of the files in a folder that are read as videos; a file that is named itself may have any."""
ANONYMIZED_SUFFIX = "_anonymized"
PREVIEW_SUFFIX = "_NOT_ANONYMIZED"
FALLBACK_EXTENSION = ".mkv"  # Matroska holds every video and audio codec


def check_exists(path: Path) -> None:
    """Refuse an input that is not there.

    Raises SourceError.
    """
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder")


def check_video_input(path: Path) -> None:
    """Refuse a path that is no file, or a terminal.

    Raises SourceError.
    """
    try:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file")
        if path.is_char_device():
            raise SourceError(f"{path}: is a terminal or a device, a video is expected")
        if path.is_dir():
            raise SourceError(f"{path}: is a folder, a video file is expected")
    except OSError as error:  # too long, or in a folder that may not be looked at
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error


def is_pipe(address: Address) -> bool:
    """Tell whether a target is standard output or an existing named pipe."""
    try:
        return address.piped or (not address.live and address.path.is_fifo())
    except OSError:
        return False


def is_image(address: Address) -> bool:
    """Tell whether an address is a file whose ending is that of a still image."""
    return address.local and address.path.suffix.lower() in IMAGE_FORMATS


def check_file_extension(path: Path) -> None:
    """Refuse a video file that no muxer writes, by its extension.

    Raises UsageError.
    """
    if path.suffix.lower() not in FILE_FORMATS:
        raise UsageError(f"{path}: the ending must be one of {' '.join(FILE_FORMATS)}")


def check_output_path(path: Path, overwrite: bool) -> None:
    """Refuse a path where no file can be made, before any work is done for it.

    Raises UsageError.
    """
    try:
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is not a file; choose another name")
        if path.exists() and not overwrite:
            raise UsageError(f"{path}: exists already; use -y to replace it (in Python overwrite=True)")
        if path.resolve().is_symlink():  # Python 3.13 gives a loop back, older ones raise
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except (OSError, RuntimeError) as error:  # too long, no permission, or a link that leads to itself
        raise UsageError(f"{path}: cannot be written: {reason(error)}; choose another name") from error


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that takes no files, or is missing and cannot be made, before any work is done for it.

    Raises UsageError.
    """
    existing = folder
    try:
        while not _exists(existing):
            existing = existing.parent
        writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    except OSError as error:  # too long, or no permission
        raise UsageError(f"{folder}: cannot be made: {reason(error)}; choose another folder") from error
    if not writable:
        way_out = (existing.is_dir() and container_advice(existing)) or "choose another folder"
        raise UsageError(f"{folder}: nothing can be made in {existing}; {way_out}")


def _exists(path: Path) -> bool:
    try:
        path.lstat()  # a dangling link exists, and is in the way
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


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


def check_report_path(report: Address, kind: OwnFile, others: Iterable[tuple[str, Address]], overwrite: bool) -> None:
    """Refuse a file that a command writes besides its output, such as a report, before any work is done for it.

    others: names and addresses of the files that stay as they are
    Raises UsageError when it is no file, is one of the others under whatever name, cannot be made or replaced.
    """
    if not report.local:
        raise UsageError(f"{report}: the {kind.name} is a file")
    for other_name, other in others:
        refuse_same(other, report, f"{other_name} and {kind.name}")
    check_replaced(report.path, kind, overwrite)


def check_replaced(path: Path, kind: OwnFile, overwrite: bool) -> None:
    """Refuse a path where no such file can be made, and to replace anything but an empty file and one of its kind.

    Raises UsageError.
    """
    check_output_path(path, overwrite=True)
    if path.exists() and path.stat().st_size > 0 and not kind.matches(path):
        raise UsageError(
            f"{path}: is no {kind.name} of this program, and is not replaced; move it away or choose another name"
        )
    check_output_path(path, overwrite)


def default_target(source: Address, preview: bool) -> Address:
    """Return the output path when none is given: beside the input, in the same container if that can be written.

    Raises UsageError for what is not a file.
    """
    if not source.local:
        raise UsageError(f"{source}: what is not a file has no name to call its output by; give an OUTPUT")
    path = writable_path(source.path)
    return Address(str(path.with_name(path.stem + ("" if preview else ANONYMIZED_SUFFIX) + path.suffix)))


def writable_path(path: Path) -> Path:
    """Return a path for the result of a file of that name: its own, or with an ending that can be written."""
    writable = path.suffix.lower() in FILE_FORMATS or path.suffix.lower() in IMAGE_FORMATS
    return path if writable else path.with_suffix(FALLBACK_EXTENSION)


def walk_folder(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder in `folder` and below with the names of its folders and files, in order, as os.walk does.

    Linked folders are named and not followed.
    Raises SourceError.
    """
    for parent, folders, names in os.walk(folder, onerror=_raise_unreadable):
        folders.sort()
        yield Path(parent), folders, sorted(names)


def _raise_unreadable(error: OSError) -> NoReturn:
    raise SourceError(f"{error.filename}: the folder cannot be read: {reason(error)}") from error


def preview_target(target: Address) -> Address:
    """Return the target under a name that says that it is not anonymized.

    Raises UsageError for a live target and for standard output: nobody could see that it is not anonymized.
    """
    if not target.local:
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
