"""Sinks: write redacted frames and copied packets, and nothing else, to a file, a pipe or an RTSP server."""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO, Protocol

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import StoppedError, UsageError
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.paths import is_pipe
from blurscene_stream.sink.encoder_choice import choose_encoder
from blurscene_stream.sink.file_sink import FileSink, check_file_target
from blurscene_stream.sink.pipe_sink import PipeSink, check_pipe_target
from blurscene_stream.sink.rtsp_sink import RtspSink
from blurscene_stream.streams import StreamInfo

__all__ = [
    "Sink",
    "check_target",
    "open_sink",
]


class Sink(Protocol):
    """The output of a run. Leaving it as a context manager without `commit` leaves nothing behind."""

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Write the next item in order. Raises SinkError."""

    def is_disk_full(self) -> bool:
        """Tell whether there is room for little more than the end: a stream that can end anywhere is to end now."""

    def flush(self) -> BinaryIO | None:
        """Write the end. Return the file that `commit` gives its name, to be read and not closed; None if it is none.

        Nothing may be written after it. Raises SinkError.
        """

    def commit(self) -> None:
        """Complete the output, after `flush` or instead of it. Raises SinkError."""

    def interrupt(self, error: StoppedError) -> None:
        """Raise `error` from `write` rather than wait for long; called by a signal handler."""

    def rollback(self) -> None:
        """Delete a file, even a committed one: something that belongs to it could not be committed."""

    def __enter__(self) -> Sink: ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def check_target(address: Address, settings: Settings, overwrite: bool) -> None:
    """Refuse a target that cannot be written to, before any work is done for it.

    Raises UsageError.
    """
    if address.live:
        if settings.keep.streams or settings.keep.tags:
            raise UsageError(
                f"{address}: a server is sent video and audio alone; leave out --keep (keep.streams) and "
                "--keep-tag (keep.tags)"
            )
        choose_encoder(settings.encode, "rtsp")
    elif is_pipe(address):
        check_pipe_target(address, settings)
    else:
        check_file_target(address.path, settings, overwrite)


def open_sink(address: Address, info: StreamInfo, settings: Settings, overwrite: bool) -> Sink:
    """Open a file or a pipe or connect to a server, and write the header.

    Raises UsageError or SinkError for a file, SinkError for a pipe, SinkLostError for a server.
    """
    if address.live:
        return RtspSink(address, info, settings)
    if is_pipe(address):
        return PipeSink(address, info, settings)
    return FileSink(address.path, info, settings, overwrite)
