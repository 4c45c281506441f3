"""Redacted frames and copied packets become a file, a live stream or what goes to a pipe. Nothing else is taken."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.codecs import choose
from blurscene_stream.sink.file import FORMATS, FileSink, check_target
from blurscene_stream.sink.partial import (
    PartialFile,
    check_folder,
    check_place,
    make_folder,
    partial_path,
    write_file,
)
from blurscene_stream.sink.pipe import PipeSink, check_pipe, is_pipe
from blurscene_stream.sink.rtsp import RtspSink
from blurscene_stream.streams import StreamInfo

__all__ = [
    "FORMATS",
    "PartialFile",
    "Sink",
    "check",
    "check_folder",
    "check_place",
    "make_folder",
    "open_sink",
    "partial_path",
    "write_file",
]


class Sink(Protocol):
    """Where a run writes to. Leaving it as a context manager without `finish` leaves nothing behind."""

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Write the next item in order. Raises SinkError."""

    def settle(self) -> Path | None:
        """Write the end. A file lies where this says until `finish` gives it its name. Raises SinkError."""

    def finish(self) -> None:
        """Complete the output, of which the end may be written by now. Raises SinkError."""

    def withdraw(self) -> None:
        """Take a file back, even one that is complete: what belongs to it could not be completed."""

    def __enter__(self) -> Sink: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def check(address: Address, settings: Settings, overwrite: bool) -> None:
    """Refuse a target that cannot work, before any work is done for it.

    Raises UsageError.
    """
    if address.live:
        if settings.keep.streams or settings.keep.tags:
            raise UsageError(f"{address}: a server is sent video and sound alone; leave out --keep and --keep-tag")
        choose(settings.encode, "rtsp")
    elif is_pipe(address):
        check_pipe(address, settings)
    else:
        check_target(address.path, settings, overwrite)


def open_sink(address: Address, info: StreamInfo, settings: Settings, overwrite: bool) -> Sink:
    """Open a file or a pipe or connect to a server, and write the header.

    Raises UsageError or SinkError for a file, SinkError for a pipe, SinkLostError for a server.
    """
    if address.live:
        return RtspSink(address, info, settings)
    if is_pipe(address):
        return PipeSink(address, info, settings)
    return FileSink(address.path, info, settings, overwrite)
