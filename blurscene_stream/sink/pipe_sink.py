"""The pipe sink: standard output or a named pipe, written as it goes; nothing can be taken back."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from types import TracebackType
from typing import NoReturn

import av
from av.container import OutputContainer

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import BlurSceneError, SinkError, StoppedError, UsageError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.paths import FILE_FORMATS
from blurscene_stream.sink.encoder_choice import choose_encoder
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.streams import StreamInfo

STDOUT = 1
SEEKING_FORMATS = ("mp4", "mov")  # their muxers go back to the beginning at the end
DEFAULT_FORMAT = "matroska"
POLL_INTERVAL_S = 0.1  # between two checks for a stop, while the reader takes nothing
MAX_STALL_S = 1.0  # the longest that a run which is to stop waits for its reader


class PipeSink:
    """Writes to a pipe as it goes. What its reader got is complete only if the run ends well.

    Used as a context manager: leaving it without `commit` closes the pipe in the middle of the video.
    Raises SinkError when it cannot be written to.
    """

    def __init__(self, address: Address, info: StreamInfo, settings: Settings) -> None:
        self._name = str(address)
        self._pipe = _Pipe(address)
        self._container: OutputContainer | None = None
        try:
            self._container = av.open(self._pipe, "w", format=_pipe_format(address, settings))
            self._muxer = Muxer(self._container, info, settings)
            self._muxer.start()
        except SinkError as error:
            self._abort()
            raise SinkError(f"{self._name}: {error}") from error
        except (av.error.FFmpegError, ValueError) as error:
            self._abort()
            raise SinkError(f"{self._name}: cannot be written: {reason(error)}") from error
        except BaseException:
            self._abort()
            raise

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Write the next item.

        Raises SinkError, also when the reader closes the pipe.
        """
        try:
            self._muxer.write(item)
            self._pipe.raise_if_failed()
        except SinkError as error:
            raise SinkError(f"{self._name}: {error}; what was read from it is not complete") from error

    def is_disk_full(self) -> bool:
        """Return False: a pipe has no end."""
        return False

    def flush(self) -> None:
        """Write the end. Raises SinkError."""
        if self._container is None:
            return
        try:
            self._muxer.flush()
            self._container.close()
            self._container = None
            self._pipe.raise_if_failed()
        except SinkError as error:
            raise SinkError(f"{self._name}: {error}; what was read from it is not complete") from error
        except av.error.FFmpegError as error:
            raise SinkError(f"{self._name}: cannot be completed: {reason(error)}") from error

    def commit(self) -> None:
        """Write the end, unless `flush` has. Raises SinkError."""
        self.flush()

    def interrupt(self, error: StoppedError) -> None:
        """Raise `error` when the reader takes nothing for a while."""
        self._pipe.interruption = error

    def rollback(self) -> None:
        """Do nothing: what was read cannot be taken back, the exit code tells."""

    def __enter__(self) -> PipeSink:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._abort()

    def _abort(self) -> None:
        """Close without the end of the video: nobody is to take it for complete."""
        self._pipe.close()
        if self._container is not None:
            with suppress(av.error.FFmpegError, BlurSceneError, ValueError):
                self._container.close()
            self._container = None


class _Pipe:
    """The file object that FFmpeg writes to; it cannot seek.

    closed:       nothing is written any more, so FFmpeg's trailer is left out too
    interruption: error to raise when the reader takes nothing for MAX_STALL_S; None: wait however long it takes

    Raises SinkError when a named pipe cannot be opened. Opening waits for a reader.
    """

    def __init__(self, address: Address) -> None:
        self.closed = False
        self.interruption: StoppedError | None = None
        self._error: BaseException | None = None
        self._owned = not address.piped
        try:
            self._descriptor = os.open(address.path, os.O_WRONLY | os.O_CLOEXEC) if self._owned else STDOUT
        except OSError as error:
            raise SinkError(f"{address}: cannot be written: {reason(error)}") from error
        self._ready = select.poll()  # select() knows descriptors up to 1023 only
        self._ready.register(self._descriptor, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """Write all of `data`, as the reader takes it. Raises SinkError, and what `interruption` says."""
        left = memoryview(b"" if self.closed else data)
        try:
            while left:
                self._wait()
                # A pipe that is ready takes so much at once. O_NONBLOCK would hold for all who share the descriptor.
                left = left[os.write(self._descriptor, left[: select.PIPE_BUF]) :]
        except OSError as error:
            self._fail(SinkError(f"cannot be written: {reason(error)}"), error)
        except BaseException as error:  # of a signal: libav may swallow it
            self._fail(error, None)
        return len(data)

    def _wait(self) -> None:
        stall_s = 0.0
        while not self._ready.poll(POLL_INTERVAL_S * 1000):
            stall_s += POLL_INTERVAL_S
            if self.interruption is not None and stall_s >= MAX_STALL_S:
                raise self.interruption

    def _fail(self, error: BaseException, cause: BaseException | None) -> NoReturn:
        self.closed, self._error = True, error
        raise error from cause

    def raise_if_failed(self) -> None:
        """Raise the error of a write that libav has swallowed."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close a named pipe, let go of standard output. FFmpeg calls it too."""
        if self._owned:
            self._owned = False
            os.close(self._descriptor)
        self.closed = True


def check_pipe_target(address: Address, settings: Settings) -> None:
    """Refuse a pipe that cannot be written to before any work is done for it.

    Raises UsageError.
    """
    if address.piped and sys.__stdout__ is None:
        raise UsageError(f"{address}: there is no standard output")
    if address.piped and os.isatty(STDOUT):
        raise UsageError(f"{address}: a terminal shows no video; send it to a program or a file")
    choose_encoder(settings.encode, _pipe_format(address, settings))


def _pipe_format(address: Address, settings: Settings) -> str:
    """Return the muxer that the name of the pipe says, else the settings.

    Raises UsageError for a muxer that needs to seek.
    """
    suffix = "" if address.piped else address.path.suffix.lower()
    named, asked = FILE_FORMATS.get(suffix), settings.encode.format
    if named in SEEKING_FORMATS:
        raise UsageError(f"{address}: {suffix} cannot be written to a pipe; name it .mkv or .ts")
    if named is not None and asked not in (None, named):
        raise UsageError(f"{address}: encode.format is {asked}, and the ending says {named}")
    return named or asked or DEFAULT_FORMAT
