"""Atomic files: written as NAME.partial, and renamed to NAME once everything in them is on the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from blurscene_stream.errors import SinkError, StoppedError, reason

PARTIAL = ".partial"
MAX_NAME_BYTES = 255  # on Linux and macOS


def partial_path(final: Path) -> Path:
    """Return where a file is written until it is complete: NAME.partial, or a shorter name where that is too long."""
    name = final.name
    if len(os.fsencode(name)) + len(PARTIAL) <= MAX_NAME_BYTES:
        return final.with_name(name + PARTIAL)
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + PARTIAL
    while len(os.fsencode(name)) + len(mark) > MAX_NAME_BYTES:
        name = name[:-1]
    return final.with_name(name + mark)


class AtomicFile:
    """A file under its partial name, locked against other runs, until `commit` gives it its final name.

    path: where to write

    Used as a context manager: leaving it without `commit` deletes what was written.
    Raises SinkError when it cannot be made.
    """

    def __init__(self, target: Path, overwrite: bool) -> None:
        self._target = target
        self._overwrite = overwrite
        self._flushed = False
        self._final = target.resolve()  # a link stays a link, the file behind it is replaced
        self.path = partial_path(self._final)
        self._lock = _lock(self.path, target)
        self._identity = os.fstat(self._lock)

    def flush(self) -> None:
        """Sync the file to the disk, and check that its name is free if it must be. Nothing is written after it.

        Raises SinkError, OSError.
        """
        if not self._flushed:
            _sync(self.path)
            self._flushed = True
        if self._final.exists() and not self._overwrite:
            raise SinkError("was made by another program in the meantime and is not replaced")

    def commit(self) -> None:
        """Sync the file to the disk and rename it to its final name.

        Raises SinkError, OSError.
        """
        self.flush()
        self.path.replace(self._final)
        try:
            # too late to stop: the file is complete; and a folder that may not be read cannot be synced
            with suppress(StoppedError, PermissionError):
                _sync(self._final.parent)
        except OSError:
            self.rollback()
            raise
        self._unlock()

    def discard(self) -> None:
        """Delete the partial file. Errors are dropped: one that matters is already on its way up."""
        if self._lock != -1:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._unlock()

    def rollback(self) -> None:
        """Delete a committed file, because something that belongs to it could not be committed.

        What it has replaced is gone. Does nothing while the file does not have its name.
        """
        with suppress(OSError):
            if os.path.samestat(self._identity, self._final.stat()):
                self._final.unlink()

    def _unlock(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


def write_file(target: Path, data: bytes, overwrite: bool) -> None:
    """Write a whole file atomically: it has its name with all of `data`, or not at all.

    Raises SinkError.
    """
    with AtomicFile(target, overwrite) as file:
        try:
            file.path.write_bytes(data)
            file.commit()
        except SinkError as error:
            raise SinkError(f"{target}: {error}; nothing was left") from error
        except OSError as error:
            raise SinkError(f"{target}: cannot be written: {reason(error)}; nothing was left") from error


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, unless they exist.

    Raises SinkError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the folder cannot be made: {reason(error)}") from error


def _lock(partial: Path, target: Path) -> int:
    """Make the partial file, or take over one that a killed run has left; not one that a run is writing."""
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError as error:  # the error of /proc for a new file
        raise SinkError(
            f"{target}: cannot be written: {partial.parent} takes no files; choose another folder"
        ) from error
    except OSError as error:
        raise SinkError(f"{target}: cannot be written: {reason(error)}; choose another name or folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), partial.lstat()):  # just renamed or deleted by the other run
            raise FileNotFoundError
    except OSError as error:
        os.close(descriptor)
        raise SinkError(f"{target}: another run is writing it; wait for its end or choose another name") from error
    return descriptor


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
