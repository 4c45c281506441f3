"""Connections of clients under gunicorn: slow ones are cut, and it is known whether an answer was taken."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from flask import request
from gunicorn.workers.gthread import ThreadWorker

from blurscene_stream.config.schema import ServerConfig

CLOSE_S = 2.0  # for a client to close its end, before its connection is closed whatever it does

log = logging.getLogger(__name__)
T = TypeVar("T")


class _TooSlowError(Exception):
    """The client was cut."""


class Connection(socket.socket):
    """A client's connection, which is cut when too little moves on it.

    Only the time counts in which a thread of ours waits for the client to send or to take something: after each
    `server.transfer_window_s` of it, `server.min_transfer_bytes_per_s` must have moved.
    """

    def __init__(self, accepted: socket.socket, config: ServerConfig) -> None:
        """Take the place of `accepted`, which is of no use afterwards."""
        timeout_s = accepted.gettimeout()
        super().__init__(fileno=accepted.detach())
        self.settimeout(timeout_s)
        self._window_s = config.transfer_window_s
        self._min_bytes = config.min_transfer_bytes_per_s * config.transfer_window_s
        self._waited_s, self._moved = 0.0, 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, see `socket.recv`; return b"" for a client that was cut, as if it had closed."""
        try:
            data = self._timed(super().recv, size, flags)
        except _TooSlowError:
            return b""
        self._moved += len(data)
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of `data`, see `socket.sendall`. Raises BrokenPipeError when the client was cut."""
        left = memoryview(data).cast("B")
        while left:
            try:
                sent = self._timed(super().send, left, flags)
            except _TooSlowError as error:
                raise BrokenPipeError(errno.EPIPE, "the client was cut off") from error
            self._moved += sent
            left = left[sent:]

    def closed_by_client(self, timeout_s: float) -> bool:
        """Say that no more is sent, and wait until the client closes its end; return whether it had taken all by then.

        The connection of one that is killed, or closes, before it has taken all is reset instead (RFC 1122, 4.2.2.13).
        """
        try:
            self.shutdown(socket.SHUT_WR)
            self.settimeout(timeout_s)
            return not super().recv(1)
        except OSError:
            return False

    def _timed(self, move: Callable[..., T], *arguments: object) -> T:
        """Call what waits for the client. Raises _TooSlowError."""
        asked_s = self.gettimeout()  # by gunicorn; None: no limit
        while True:
            if self._waited_s >= self._window_s:
                self._begin_window()
            left_s, start_s = self._window_s - self._waited_s, time.monotonic()
            self.settimeout(left_s if asked_s is None else min(asked_s, left_s))
            try:
                return move(*arguments)
            except TimeoutError:
                if asked_s is not None and asked_s <= left_s:
                    raise
            finally:
                self._waited_s += time.monotonic() - start_s
                self.settimeout(asked_s)

    def _begin_window(self) -> None:
        """Begin a new window, unless too little moved in the one that has ended."""
        if self._moved < self._min_bytes:
            log.warning("%s", f"a client was cut off: {self._moved} bytes in {self._window_s:g} s are too few")
            with suppress(OSError):  # closed already
                self.shutdown(socket.SHUT_RDWR)
            raise _TooSlowError
        self._waited_s, self._moved = 0.0, 0


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's worker with threads, with connections that are cut when they are slow. With TLS they are not."""

    def enqueue_req(self, conn: Any) -> None:
        """Have a thread handle the next request of a connection."""
        from blurscene_stream.server.service import EXTENSION  # noqa: PLC0415  # loaded by workers, not before the fork

        if not isinstance(conn.sock, Connection) and not self.cfg.is_ssl:
            conn.sock = Connection(conn.sock, self.wsgi.extensions[EXTENSION].settings.server)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Handle a request, in a thread, and wait there for the end of a connection: the main one serves all others."""
        kept = super().handle(conn)
        if kept is False and isinstance(conn.sock, Connection):
            conn.sock.closed_by_client(CLOSE_S)
            with suppress(OSError):  # closed already
                conn.sock.shutdown(socket.SHUT_RDWR)  # or the main thread would wait as long again
        return kept


def current_connection() -> Connection | None:
    """Return the connection of the current request; None where none of ours is served."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, Connection) else None
