"""The RTSP sink: publishes a live stream to a server, with a time limit on everything that the server may delay."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import av
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, SinkLostError, StoppedError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.streams import StreamInfo

TIMEOUT_SHARE = 0.9  # FFmpeg swallows the error of a write that timed out: only the time that it took tells
OPEN_FILES = Path("/proc/self/fd")


class RtspSink:
    """Publishes over TCP (ANNOUNCE, RECORD). A file is sent in real time.

    Raises SinkLostError when the server does not answer or does not take the stream.
    """

    def __init__(self, address: Address, info: StreamInfo, settings: Settings) -> None:
        self._address = address
        self._timeout_s = settings.rtsp.write_timeout_s
        self._flushed = False
        self._pacer = None if info.live else _Pacer(float(info.time_base))
        self._check_connection()
        options = {
            "rtsp_transport": "tcp",
            "timeout": str(round(self._timeout_s * 1e6)),  # microseconds
            "max_interleave_delta": "1",  # video does not wait for audio of its time, which may be silent
        }
        try:
            self._container = av.open(address.text, "w", format="rtsp", options=options)
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkLostError(f"{address}: cannot publish: {reason(error)}") from error
        before, start_s = tcp_sockets(), time.monotonic()
        try:
            self._muxer = Muxer(self._container, info, settings, self._mux_packet)
            self._muxer.start()
        except (av.error.FFmpegError, ValueError) as error:
            self._close()
            why = "no answer" if self._timed_out(start_s) else reason(error)  # FFmpeg calls silence "invalid data"
            raise SinkLostError(f"{address}: the server does not take the stream: {why}") from error
        except BaseException:
            self._close()
            raise
        for descriptor in tcp_sockets() - before:
            set_user_timeout(descriptor, self._timeout_s)

    def _check_connection(self) -> None:
        """Connect once before FFmpeg does, which waits for an answer with the interpreter locked."""
        try:
            socket.create_connection(self._address.endpoint, self._timeout_s).close()
        except OSError as error:
            raise SinkLostError(f"{self._address}: cannot connect: {reason(error)}; is the server up?") from error

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Send the next item.

        Raises SinkLostError when the server has gone or takes too long.
        """
        if self._pacer is not None and isinstance(item, RedactedFrame):
            self._pacer.wait(item.pts)
        self._lost_on_error(lambda: self._muxer.write(item))

    def is_disk_full(self) -> bool:
        """Return False: a server takes what is sent."""
        return False

    def flush(self) -> None:
        """Send what is still held. Raises SinkLostError."""
        if not self._flushed:
            self._lost_on_error(self._muxer.flush)
        self._flushed = True

    def commit(self) -> None:
        """Send what is still held and close the session. Raises SinkLostError."""
        self.flush()
        self._close()

    def interrupt(self, error: StoppedError) -> None:
        """Do nothing: a server is given no longer than its timeout."""

    def rollback(self) -> None:
        """Close the session. What was sent cannot be taken back."""
        self._close()

    def _lost_on_error(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SinkLostError:
            raise
        except SinkError as error:
            raise SinkLostError(f"{self._address}: the target was lost: {error}") from error

    def _mux_packet(self, packet: Packet[Stream]) -> None:
        start_s = time.monotonic()
        self._container.mux_one(packet)
        if self._timed_out(start_s):
            raise SinkLostError(f"{self._address}: the target was lost: it takes no data")

    def _timed_out(self, start_s: float) -> bool:
        return time.monotonic() - start_s > TIMEOUT_SHARE * self._timeout_s

    def __enter__(self) -> RtspSink:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """Close the session; errors of a server that has gone are dropped."""
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()


class _Pacer:
    """Holds frames back until they are due: a file is read faster than it plays."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._start: tuple[float, int] | None = None

    def wait(self, pts: int) -> None:
        now_s = time.monotonic()
        if self._start is None:
            self._start = (now_s, pts)
        start_s, first_pts = self._start
        time.sleep(max(0.0, start_s + (pts - first_pts) * self._tick_s - now_s))


def tcp_sockets() -> set[int]:
    """Return the file descriptors of this process that are connected TCP sockets; none where there is no /proc."""
    found = set()
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.is_dir() else ():  # noqa: PTH208  # names, not paths
        with suppress(OSError), _borrowed_socket(int(name)) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getpeername():
                found.add(int(name))
    return found


def set_user_timeout(descriptor: int, timeout_s: float) -> None:
    """Close a connection when data stays unacknowledged for longer: FFmpeg has no option for TCP_USER_TIMEOUT.

    Without it megabytes of kernel buffers fill up first, which is minutes of video that nobody gets.
    """
    with suppress(OSError), _borrowed_socket(descriptor) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(timeout_s * 1000))


@contextmanager
def _borrowed_socket(descriptor: int) -> Generator[socket.socket]:
    """Raises OSError for a descriptor that is not a socket."""
    copy = os.dup(descriptor)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with connection:
        yield connection
