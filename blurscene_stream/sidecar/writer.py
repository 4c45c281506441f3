"""Writer of a file of detections, paired with the sink of its video: both get their names, or neither."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from blurscene_stream.atomic_file import AtomicFile
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, StoppedError, reason
from blurscene_stream.frames import RedactedFrame, SinkItem
from blurscene_stream.sidecar.line_format import Header, early_end_line, frame_line, header_line
from blurscene_stream.sink import Sink

SPARE_BYTES = 1 << 20  # left free on the disk for the lines of frames that are still to be written


class DetectionsWriter:
    """Writes NAME.partial, a line for each frame, and renames it to NAME when it is complete.

    Used as a context manager: leaving it without `commit` deletes what was written.
    Raises SinkError when it cannot be written.
    """

    def __init__(self, path: Path, header: Header, settings: Settings, overwrite: bool) -> None:
        self._path = path
        self._time_base: Fraction = header.time_base
        self._header = header_line(header, settings)
        self._partial = AtomicFile(path, overwrite)
        try:
            self._file = TextIOWrapper(self._partial.writer(), encoding="utf-8")
        except OSError as error:
            self._partial.discard()
            raise SinkError(f"{path}: cannot be written: {reason(error)}; nothing was left") from error

    def start(self) -> None:
        """Write the header. Raises SinkError."""
        self._put(self._header)

    def write(self, frame: RedactedFrame) -> None:
        """Write the line of a frame. Raises SinkError."""
        self._put(frame_line(frame, frame.detections, self._time_base))

    def is_disk_full(self) -> bool:
        """Tell whether the disk has room for little more."""
        return self._partial.free_bytes < SPARE_BYTES

    def end_early(self, why: str) -> None:
        """Write the last line of a live stream that went away. Raises SinkError."""
        self._put(early_end_line(why))

    def _put(self, line: str) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written: {reason(error)}; nothing was left") from error

    def close(self) -> None:
        """Flush to disk and close: a full disk shows now. Raises SinkError."""
        if self._file.closed:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be completed: {reason(error)}; nothing was left") from error

    def commit(self) -> None:
        """Rename the file to its final name. Raises SinkError."""
        try:
            self._partial.commit()
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be completed: {reason(error)}; nothing was left") from error

    def rollback(self) -> None:
        """Delete the file, even a committed one."""
        self._partial.rollback()

    def __enter__(self) -> DetectionsWriter:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()
        self._partial.discard()


class PairedSink:
    """Sink of a video and of its file of detections.

    The video gets its name first: whoever finds the file finds the video too. When the file can then not be named,
    both are taken back.
    """

    def __init__(self, video: Sink, writer: DetectionsWriter) -> None:
        self._video = video
        self._writer = writer

    def write(self, item: SinkItem) -> None:
        """Write the next item, and the line of a frame. Raises SinkError."""
        self._video.write(item)
        if isinstance(item, RedactedFrame):
            self._writer.write(item)

    def is_disk_full(self) -> bool:
        """Tell whether one of the two is to end now, as `Sink.is_disk_full` does."""
        return self._video.is_disk_full() or self._writer.is_disk_full()

    def end_early(self, why: str) -> None:
        """Say in the file of detections why a live stream went away; nothing is written after it. Raises SinkError."""
        self._writer.end_early(why)

    def flush(self) -> BinaryIO | None:
        """Write the end of both, and return the video, as `Sink.flush` does. Raises SinkError."""
        self._writer.close()  # a full disk shows before the video has its name
        return self._video.flush()

    def commit(self) -> None:
        """Complete both. Raises SinkError; then neither is left."""
        self.flush()
        try:
            self._video.commit()
            self._writer.commit()
        except BaseException:
            self.rollback()
            raise

    def interrupt(self, error: StoppedError) -> None:
        """Pass a stop on to the video, which may be a pipe."""
        self._video.interrupt(error)

    def rollback(self) -> None:
        """Delete both, committed or not."""
        self._writer.rollback()
        self._video.rollback()
