"""A file that has its final name only when it is complete."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, StoppedError, UsageError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame, StreamInfo
from blurscene_stream.sink.codecs import choose
from blurscene_stream.sink.muxer import Muxer

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
}
OPTIONS = {
    "mp4": {"movflags": "+faststart"},  # the index comes first, so that a browser can start at once
    "mov": {"movflags": "+faststart"},
    "mpegts": {"flush_packets": "0"},
}


def partial_path(final: Path) -> Path:
    """Where a file is written until it is complete."""
    return final.with_name(final.name + ".partial")


class FileSink:
    """Writes NAME.partial, and renames it to NAME when everything is on the disk.

    Used as a context manager: leaving it without `finish` deletes what was written.
    Raises UsageError when the target cannot be a target, SinkError when it cannot be written.
    """

    def __init__(self, path: Path, info: StreamInfo, settings: Settings, overwrite: bool) -> None:
        self._path = path
        self._overwrite = overwrite
        check_target(path, settings, overwrite)
        self._final = path.resolve()  # a link stays a link, the file behind it is replaced
        self._partial = partial_path(self._final)
        self._lock = _lock(self._partial, path)
        self._container: OutputContainer | None = None
        try:
            form = FORMATS[path.suffix.lower()]
            self._container = av.open(f"file:{self._partial}", "w", format=form, options=OPTIONS.get(form, {}))
            self._muxer = Muxer(self._container, info, settings)
            self._muxer.start()
        except SinkError as error:
            self._abort()
            raise SinkError(f"{path}: {error}") from error
        except (av.error.FFmpegError, ValueError) as error:
            self._abort()
            raise SinkError(f"{path}: cannot be written: {reason(error)}") from error
        except BaseException:
            self._abort()
            raise

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Write the next item.

        Raises SinkError.
        """
        try:
            self._muxer.write(item)
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error

    def finish(self) -> None:
        """Complete the file and give it its name.

        Raises SinkError when it is not complete on the disk: then nothing is left.
        """
        assert self._container is not None
        try:
            self._muxer.finish()
            self._container.close()
            self._container = None
            _flush_to_disk(self._partial)
            if self._final.exists() and not self._overwrite:
                raise SinkError("was made by another program in the meantime and is not replaced")
            self._partial.replace(self._final)
            with suppress(StoppedError):  # too late: the file is complete
                _flush_to_disk(self._final.parent)
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"{self._path}: cannot be completed: {reason(error)}; nothing was left") from error
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock != -1:
            self._abort()

    def _abort(self) -> None:
        """Leave nothing behind. What fails here has failed for a reason that is already on its way up."""
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
        if self._container is not None:
            with suppress(av.error.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
        os.close(self._lock)
        self._lock = -1


def check_target(path: Path, settings: Settings, overwrite: bool) -> None:
    """Refuse a target before any work is done for it.

    Raises UsageError.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the ending must be one of {' '.join(FORMATS)}")
    choose(settings.encode, FORMATS[path.suffix.lower()])
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
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {reason(error)}") from error
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
