"""Atomic files: written as NAME.partial, and renamed to NAME once everything in them is on the disk.

The file is made under a name that was free, and is known by its descriptor from then on: what somebody puts in its
place neither gets the final name nor is deleted. Until it is complete it bears a mark, an extended attribute: by its
content the rest of a run that was killed could not be told from somebody else's file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from blurscene_stream.errors import SinkError, StoppedError, reason

PARTIAL = ".partial"
MARK = "user.blurscene_stream.partial"  # extended attribute, see Linux's xattr(7)
MAX_NAME_BYTES = 255  # on Linux and macOS

log = logging.getLogger(__name__)


def partial_path(final: Path, number: int = 1) -> Path:
    """Return where a file is written until it is complete: NAME.partial, or a shorter name where that is too long.

    number: from 2 on another name each: NAME.2.partial
    """
    name, ending = final.name, PARTIAL if number == 1 else f".{number}{PARTIAL}"
    if len(os.fsencode(name)) + len(ending) <= MAX_NAME_BYTES:
        return final.with_name(name + ending)
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + ending
    while len(os.fsencode(name)) + len(mark) > MAX_NAME_BYTES:
        name = name[:-1]
    return final.with_name(name + mark)


class AtomicFile:
    """A file under its partial name, locked against other runs, until `commit` gives it its final name.

    path: where to write, for what writes by name; then `check` that it did not write elsewhere
    file: the file itself, under whatever name; `flush` has it read from the beginning

    Used as a context manager: leaving it without `commit` deletes what was written.
    Raises SinkError when it cannot be made.
    """

    def __init__(self, target: Path, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._flushed = False
        self._final = target.resolve()  # a link stays a link, the file behind it is replaced
        self.path, self.file = _create_locked(self._final, target, overwrite)
        self._identity = os.fstat(self.file.fileno())

    def writer(self) -> BinaryIO:
        """Return a buffered file to write through, to be closed before `flush`."""
        return os.fdopen(os.dup(self.file.fileno()), "wb")

    def check(self) -> None:
        """Check that nobody has put another file in the place of this one.

        Raises SinkError.
        """
        if not self._is_at(self.path):
            raise SinkError(f"another program has put its own file in the place of {self.path.name}")

    @property
    def written_bytes(self) -> int:
        """What has been written so far."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def free_bytes(self) -> int:
        """What may still be written to the disk; limits of a user or of one file are not known."""
        disk = os.fstatvfs(self.file.fileno())
        return disk.f_bavail * disk.f_frsize

    def flush(self) -> BinaryIO:
        """Sync the file to the disk, and check that its name is free if it must be. Nothing is written after it.

        Return the file, to be read from its beginning and not closed.
        Raises SinkError, OSError.
        """
        self.check()
        if not self._flushed:
            os.fsync(self.file.fileno())
            self._flushed = True
        if self._final.exists() and not self._overwrite:
            raise SinkError("was made by another program in the meantime and is not replaced")
        self.file.seek(0)
        return self.file

    def commit(self) -> None:
        """Sync the file to the disk and rename it to its final name.

        Raises SinkError, OSError.
        """
        self.flush()
        _unmark(self.file.fileno())
        self.path.replace(self._final)
        if not self._is_at(self._final):  # put in its place since `flush`: it gets its name back
            self._final.replace(self.path)
            self.check()
        try:
            # too late to stop: the file is complete; and a folder that may not be read cannot be synced
            with suppress(StoppedError, PermissionError):
                _sync(self._final.parent)
        except OSError:
            self.rollback()
            raise
        self.file.close()

    def discard(self) -> None:
        """Delete the partial file. Errors are dropped: one that matters is already on its way up."""
        if not self.file.closed:
            with suppress(OSError):
                if self._is_at(self.path):
                    self.path.unlink()
            self.file.close()

    def rollback(self) -> None:
        """Delete a committed file, because something that belongs to it could not be committed.

        What it has replaced is gone. Does nothing while the file does not have its name.
        """
        with suppress(OSError):
            if self._is_at(self._final):
                self._final.unlink()

    def _is_at(self, path: Path) -> bool:
        try:
            return os.path.samestat(self._identity, path.lstat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


def write_file(target: Path, data: bytes, overwrite: bool, and_then: Callable[[], None] = lambda: None) -> None:
    """Write a whole file atomically: it has its name with all of `data`, or not at all.

    and_then: called when it has its name; what it raises takes the file back
    Raises SinkError.
    """
    with AtomicFile(target, overwrite) as file:
        try:
            with file.writer() as writer:
                writer.write(data)
            file.commit()
        except SinkError as error:
            raise SinkError(f"{target}: {error}; nothing was left") from error
        except OSError as error:
            raise SinkError(f"{target}: cannot be written: {reason(error)}; nothing was left") from error
        try:
            and_then()
        except BaseException:
            file.rollback()
            raise


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, unless they exist.

    Raises SinkError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the folder cannot be made: {reason(error)}") from error


def container_advice(folder: Path, error: OSError | None = None) -> str | None:
    """Return the way out for a folder that takes no files of this user, when the program runs in a container.

    error: why it takes none, for which there may be other ways out; None: it takes none of this user
    The variable `container` is that of systemd's Container Interface; the Dockerfile sets it.
    """
    if "container" not in os.environ or (error and error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS)):
        return None
    where = f"user {os.geteuid()} may not write to {folder.absolute()}"
    return f'{where}; start the container with --user "$(id -u):$(id -g)" -v "$PWD:/data"'


def _create_locked(final: Path, target: Path, overwrite: bool) -> tuple[Path, BinaryIO]:
    """Make and lock a new file under the first partial name that is free; return its path and the file.

    What has the name already is left of a run that was killed, or is not ours. It is left alone, unless it bears our
    mark and `overwrite` lets it be replaced. Links are never followed.
    Raises SinkError when no file can be made, or a run is writing one.
    """
    number = 1
    while True:
        path = partial_path(final, number)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            if not (_is_leftover(path, target) and overwrite and _unlinked(path)):
                log.warning(
                    "%s: is left of a run that was killed, or not ours, and is not touched; delete it if you can",
                    path,
                )
                number += 1
        except FileNotFoundError as error:  # the error of /proc for a new file
            raise SinkError(
                f"{target}: cannot be written: {path.parent} takes no files; choose another folder"
            ) from error
        except OSError as error:
            way_out = container_advice(path.parent, error) or "choose another name or folder"
            raise SinkError(f"{target}: cannot be written: {reason(error)}; {way_out}") from error
        else:
            _mark(descriptor)
            return path, _locked(descriptor, path, target)


def _locked(descriptor: int, path: Path, target: Path) -> BinaryIO:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):  # another run took it for a leftover
            raise FileNotFoundError
    except OSError as error:
        os.close(descriptor)
        raise _busy(target) from error
    return os.fdopen(descriptor, "r+b", buffering=0)


def _is_leftover(path: Path, target: Path) -> bool:
    """Tell whether something is a file of no other name that bears our mark and that no run is writing.

    Raises SinkError when a run is writing it.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # gone, or not ours to read
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return found.st_nlink == 1 and _is_marked(descriptor)
    except OSError as error:
        raise _busy(target) from error
    finally:
        os.close(descriptor)


def _mark(descriptor: int) -> None:
    """Mark a file as ours; where the system or the disk knows no such marks, what a killed run leaves is kept."""
    if hasattr(os, "setxattr"):  # not on macOS
        with suppress(OSError):
            os.setxattr(descriptor, MARK, b"1")


def _unmark(descriptor: int) -> None:
    if _is_marked(descriptor):
        with suppress(OSError):
            os.removexattr(descriptor, MARK)


def _is_marked(descriptor: int) -> bool:
    with suppress(OSError):
        return hasattr(os, "listxattr") and MARK in os.listxattr(descriptor)
    return False


def _unlinked(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _busy(target: Path) -> SinkError:
    return SinkError(f"{target}: another run is writing it; wait for its end or choose another name")


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
