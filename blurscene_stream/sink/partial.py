"""A file that is called NAME.partial until everything in it is on the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from blurscene_stream.errors import SinkError, StoppedError, UsageError, reason

PARTIAL = ".partial"
LONGEST_NAME_BYTES = 255  # on Linux and macOS


def partial_path(final: Path) -> Path:
    """Where a file is written until it is complete: NAME.partial, or a shorter name where that one is too long."""
    name = final.name
    if len(os.fsencode(name)) + len(PARTIAL) <= LONGEST_NAME_BYTES:
        return final.with_name(name + PARTIAL)
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + PARTIAL
    while len(os.fsencode(name)) + len(mark) > LONGEST_NAME_BYTES:
        name = name[:-1]
    return final.with_name(name + mark)


class PartialFile:
    """The place where a file is made, locked against other runs, and its way to its final name.

    path: where to write

    Used as a context manager: leaving it without `complete` deletes what was written.
    Raises SinkError when it cannot be made.
    """

    def __init__(self, target: Path, overwrite: bool) -> None:
        self._target = target
        self._overwrite = overwrite
        self._settled = False
        self._final = target.resolve()  # a link stays a link, the file behind it is replaced
        self.path = partial_path(self._final)
        self._lock = _lock(self.path, target)
        self._made = os.fstat(self._lock)

    def settle(self) -> None:
        """See that everything is on the disk, and that the name is free if it must be. Nothing is written after it.

        Raises SinkError, OSError.
        """
        if not self._settled:
            _flush_to_disk(self.path)
            self._settled = True
        if self._final.exists() and not self._overwrite:
            raise SinkError("was made by another program in the meantime and is not replaced")

    def complete(self) -> None:
        """Give the file its name, once everything is on the disk.

        Raises SinkError, OSError.
        """
        self.settle()
        self.path.replace(self._final)
        try:
            # too late to stop: the file is complete; and a folder that may not be read cannot be flushed
            with suppress(StoppedError, PermissionError):
                _flush_to_disk(self._final.parent)
        except OSError:
            self.withdraw()
            raise
        self._unlock()

    def delete(self) -> None:
        """Leave nothing behind. What fails here has failed for a reason that is already on its way up."""
        if self._lock != -1:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._unlock()

    def withdraw(self) -> None:
        """Take a complete file back, because something that belongs to it could not be completed.

        What it has replaced is gone. Does nothing while the file does not have its name.
        """
        with suppress(OSError):
            if os.path.samestat(self._made, self._final.stat()):
                self._final.unlink()

    def _unlock(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()


def write_file(target: Path, data: bytes, overwrite: bool) -> None:
    """Write a whole file: it has its name with all of `data`, or not at all.

    Raises SinkError.
    """
    with PartialFile(target, overwrite) as partial:
        try:
            partial.path.write_bytes(data)
            partial.complete()
        except SinkError as error:
            raise SinkError(f"{target}: {error}; nothing was left") from error
        except OSError as error:
            raise SinkError(f"{target}: cannot be written: {reason(error)}; nothing was left") from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in; one that is there already is as good.

    Raises SinkError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the folder cannot be made: {reason(error)}") from error


def check_folder(folder: Path) -> None:
    """Refuse a folder that takes no files, or that is not there and cannot be made, before any work is done for it.

    Raises UsageError.
    """
    place = folder
    try:
        while not _is_there(place):
            place = place.parent
        fit = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    except OSError as error:  # too long, or not to be looked at
        raise UsageError(f"{folder}: cannot be made: {reason(error)}; choose another folder") from error
    if not fit:
        raise UsageError(f"{folder}: nothing can be made in {place}; choose another folder")


def _is_there(place: Path) -> bool:
    try:
        place.lstat()  # a link that leads nowhere is there, and in the way
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def check_place(path: Path, overwrite: bool) -> None:
    """Refuse a place where no file can be made, before any work is done for it.

    Raises UsageError.
    """
    try:
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is not a file; choose another name")
        if path.exists() and not overwrite:
            raise UsageError(f"{path}: exists already; use -y to replace it")
        path.resolve()
    except (OSError, RuntimeError) as error:  # too long, not to be looked at, or a link that leads to itself
        raise UsageError(f"{path}: cannot be written: {reason(error)}; choose another name") from error


def _lock(partial: Path, path: Path) -> int:
    """Make the partial file, or take over one that a killed run has left; not one that a run is writing."""
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError as error:  # what /proc says of a file that is to be new
        raise SinkError(f"{path}: cannot be written: {partial.parent} takes no files; choose another folder") from error
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {reason(error)}; choose another name or folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), partial.lstat()):  # just renamed or deleted by the other run
            raise FileNotFoundError
    except OSError as error:
        os.close(descriptor)
        raise SinkError(f"{path}: another run is writing it; wait for its end or choose another name") from error
    return descriptor


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
