"""A live target: an RTSP server that takes what is published to it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import av
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, SinkLostError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.connections import connections, give_up_after
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.streams import StreamInfo

SLOW = 0.9  # of the time-out: libav swallows the error of a write that timed out, only the time tells


class RtspSink:
    """Publishes over TCP (ANNOUNCE, RECORD). A file is sent at the pace at which it plays.

    Raises SinkLostError when the server does not answer or does not take the stream.
    """

    def __init__(self, address: Address, info: StreamInfo, settings: Settings) -> None:
        self._address = address
        self._timeout_s = settings.rtsp.write_timeout_s
        self._settled = False
        self._pace = None if info.live else _Pace(float(info.time_base))
        self._knock()
        options = {
            "rtsp_transport": "tcp",
            "timeout": str(round(self._timeout_s * 1e6)),  # microseconds
            "max_interleave_delta": "1",  # a picture does not wait for sound of its time: a track may be silent
        }
        try:
            self._container = av.open(address.text, "w", format="rtsp", options=options)
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkLostError(f"{address}: cannot publish: {reason(error)}") from error
        before, start_s = connections(), time.monotonic()
        try:
            self._muxer = Muxer(self._container, info, settings, self._deliver)
            self._muxer.start()
        except (av.error.FFmpegError, ValueError) as error:
            self._close()
            why = "no answer" if self._slow_since(start_s) else reason(error)  # libav calls silence "invalid data"
            raise SinkLostError(f"{address}: the server does not take the stream: {why}") from error
        except BaseException:
            self._close()
            raise
        for connection in connections() - before:
            give_up_after(connection, self._timeout_s)

    def _knock(self) -> None:
        """Is anybody there? libav would wait for an answer with the interpreter locked."""
        try:
            socket.create_connection(self._address.endpoint, self._timeout_s).close()
        except OSError as error:
            raise SinkLostError(f"{self._address}: cannot connect: {reason(error)}; is the server up?") from error

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Send the next item.

        Raises SinkLostError when the server has gone or takes too long.
        """
        if self._pace is not None and isinstance(item, RedactedFrame):
            self._pace.wait(item.pts)
        self._lost_on_error(lambda: self._muxer.write(item))

    def settle(self) -> None:
        """Send what is still held. Raises SinkLostError."""
        if not self._settled:
            self._lost_on_error(self._muxer.finish)
        self._settled = True

    def finish(self) -> None:
        """Send what is still held and say goodbye. Raises SinkLostError."""
        self.settle()
        self._close()

    def withdraw(self) -> None:
        """Hang up. What was sent cannot be taken back."""
        self._close()

    def _lost_on_error(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SinkLostError:
            raise
        except SinkError as error:
            raise SinkLostError(f"{self._address}: the target was lost: {error}") from error

    def _deliver(self, packet: Packet[Stream]) -> None:
        start_s = time.monotonic()
        self._container.mux_one(packet)
        if self._slow_since(start_s):
            raise SinkLostError(f"{self._address}: the target was lost: it takes no data")

    def _slow_since(self, start_s: float) -> bool:
        return time.monotonic() - start_s > SLOW * self._timeout_s

    def __enter__(self) -> RtspSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """Hang up; a server that has gone cannot be told so."""
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()


class _Pace:
    """Holds pictures back until they are due."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._start: tuple[float, int] | None = None

    def wait(self, pts: int) -> None:
        now_s = time.monotonic()
        if self._start is None:
            self._start = (now_s, pts)
        start_s, first = self._start
        time.sleep(max(0.0, start_s + (pts - first) * self._tick_s - now_s))
