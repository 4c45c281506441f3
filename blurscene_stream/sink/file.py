"""A file that has its final name only when it is complete."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, UsageError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.codecs import choose
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.sink.partial import PartialFile, check_place
from blurscene_stream.streams import StreamInfo

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


class FileSink:
    """Writes NAME.partial, and renames it to NAME when everything is on the disk.

    Used as a context manager: leaving it without `finish` deletes what was written.
    Raises UsageError when the target cannot be a target, SinkError when it cannot be written.
    """

    def __init__(self, path: Path, info: StreamInfo, settings: Settings, overwrite: bool) -> None:
        self._path = path
        check_target(path, settings, overwrite)
        self._partial = PartialFile(path, overwrite)
        self._container: OutputContainer | None = None
        try:
            form = FORMATS[path.suffix.lower()]
            self._container = av.open(f"file:{self._partial.path}", "w", format=form, options=_options(form, info))
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

    def settle(self) -> Path:
        """Write the end, to the disk, and return where the file lies until it has its name.

        Raises SinkError when it is not complete on the disk: then nothing is left.
        """
        with self._nothing_left():
            if self._container is not None:
                self._muxer.finish()
                self._container.close()
                self._container = None
            self._partial.settle()
        return self._partial.path

    def finish(self) -> None:
        """Complete the file and give it its name.

        Raises SinkError when it is not complete on the disk: then nothing is left.
        """
        self.settle()
        with self._nothing_left():
            self._partial.complete()

    @contextmanager
    def _nothing_left(self) -> Generator[None]:
        """Raises SinkError, in the words of the file."""
        try:
            yield
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"{self._path}: cannot be completed: {reason(error)}; nothing was left") from error

    def withdraw(self) -> None:
        """Take the file back, complete or not."""
        self._abort()
        self._partial.withdraw()

    def __enter__(self) -> FileSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abort()

    def _abort(self) -> None:
        """Leave nothing behind, unless it is complete."""
        self._partial.delete()
        if self._container is not None:
            with suppress(av.error.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None


def _options(form: str, info: StreamInfo) -> dict[str, str]:
    """For the muxer. MP4 tells when a track begins in a unit of its own: milliseconds are not exact."""
    options = OPTIONS.get(form, {})
    if form not in ("mp4", "mov"):
        return options
    ticks = info.time_base.denominator
    return {**options, "movie_timescale": str(ticks * -(-1000 // ticks))}


def check_target(path: Path, settings: Settings, overwrite: bool) -> None:
    """Refuse a target before any work is done for it.

    Raises UsageError.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the ending must be one of {' '.join(FORMATS)}")
    form = FORMATS[path.suffix.lower()]
    if settings.encode.format not in (None, form):
        raise UsageError(f"{path}: encode.format is {settings.encode.format}, and the ending says {form}")
    choose(settings.encode, form)
    check_place(path, overwrite)
