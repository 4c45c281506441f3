"""What goes to standard output or a named pipe: written in place, for nothing can be taken back from there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, UsageError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.codecs import choose
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.streams import StreamInfo

STANDARD_OUTPUT = 1
FORMATS = {".mkv": "matroska", ".webm": "webm", ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts"}
GO_BACK = (".mp4", ".m4v", ".mov")  # written by going back to the beginning at the end
USUAL_FORMAT = "matroska"


class PipeSink:
    """Writes to a pipe as it goes. What has come out at its other end is complete only if the run ends well.

    Used as a context manager: leaving it without `finish` closes the pipe in the middle of the video.
    Raises SinkError when it cannot be written to.
    """

    def __init__(self, address: Address, info: StreamInfo, settings: Settings) -> None:
        self._name = str(address)
        self._pipe = _Pipe(address)
        self._container: OutputContainer | None = None
        try:
            self._container = av.open(self._pipe, "w", format=_format(address, settings))
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

        Raises SinkError, also when whoever reads has enough.
        """
        try:
            self._muxer.write(item)
        except SinkError as error:
            raise SinkError(f"{self._name}: {error}; what was read from it is not complete") from error

    def settle(self) -> None:
        """Write the end. Raises SinkError."""
        if self._container is None:
            return
        try:
            self._muxer.finish()
            self._container.close()
            self._container = None
        except SinkError as error:
            raise SinkError(f"{self._name}: {error}; what was read from it is not complete") from error
        except av.error.FFmpegError as error:
            raise SinkError(f"{self._name}: cannot be completed: {reason(error)}") from error

    def finish(self) -> None:
        """Write the end, unless it is. Raises SinkError."""
        self.settle()

    def withdraw(self) -> None:
        """What has been read cannot be taken back: the exit code tells."""

    def __enter__(self) -> PipeSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abort()

    def _abort(self) -> None:
        """Write no more, not even the end: nobody is to take the video for complete."""
        self._pipe.close()
        if self._container is not None:
            with suppress(av.error.FFmpegError, SinkError, ValueError):
                self._container.close()
            self._container = None


class _Pipe:
    """What libav writes to; it cannot go back in it.

    closed: nothing is written any more; libav then leaves out the end of the video too

    Raises SinkError when a named pipe cannot be opened. Opening waits for a reader.
    """

    def __init__(self, address: Address) -> None:
        self.closed = False
        self._own = not address.piped
        try:
            self._descriptor = os.open(address.path, os.O_WRONLY | os.O_CLOEXEC) if self._own else STANDARD_OUTPUT
        except OSError as error:
            raise SinkError(f"{address}: cannot be written: {reason(error)}") from error

    def write(self, data: bytes) -> int:
        """Write all of `data`, however long the reader takes. Raises SinkError."""
        left = memoryview(b"" if self.closed else data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self.closed = True
            raise SinkError(f"cannot be written: {reason(error)}") from error
        return len(data)

    def close(self) -> None:
        """Let go of the pipe. libav calls it too."""
        if self._own:
            self._own = False
            os.close(self._descriptor)
        self.closed = True


def is_pipe(address: Address) -> bool:
    """Whether a target is standard output or a named pipe that is there."""
    try:
        return address.piped or (not address.live and address.path.is_fifo())
    except OSError:
        return False


def check_pipe(address: Address, settings: Settings) -> None:
    """Refuse a pipe before any work is done for it.

    Raises UsageError.
    """
    if address.piped and sys.stdout is None:
        raise UsageError(f"{address}: there is no standard output")
    if address.piped and os.isatty(STANDARD_OUTPUT):
        raise UsageError(f"{address}: a terminal shows no video; send it to a program or a file")
    choose(settings.encode, _format(address, settings))


def _format(address: Address, settings: Settings) -> str:
    """What the name of the pipe says, else the settings.

    Raises UsageError for what cannot be written to a pipe.
    """
    suffix = "" if address.piped else Path(address.path).suffix.lower()
    told = settings.encode.format
    if suffix in GO_BACK:
        raise UsageError(f"{address}: {suffix} cannot be written to a pipe; name it .mkv or .ts")
    if told is not None and FORMATS.get(suffix, told) != told:
        raise UsageError(f"{address}: encode.format is {told}, and the ending says {FORMATS[suffix]}")
    return FORMATS.get(suffix, told or USUAL_FORMAT)
