"""Clients that are too slow: a connection on which hardly anything moves is cut, so that its thread is free again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from flask import request

WINDOW_S = 30.0
MIN_BYTES_PER_WINDOW = 30_000  # a bad mobile connection moves ten times as much


class Transfer:
    """Counts the bytes that a client has sent or taken."""

    moved = 0


def current_connection() -> socket.socket | None:
    """Return the connection of the current request; None where gunicorn does not run."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None


@contextmanager
def watched_transfer(connection: socket.socket | None) -> Iterator[Transfer]:
    """Watch what the caller counts; cut the connection when it is too little. Reads then end early and writes fail."""
    transfer, ended = Transfer(), Event()
    thread = Thread(target=_watch, args=(transfer, ended, connection), name="slow client", daemon=True)
    if connection is not None:
        thread.start()
    try:
        yield transfer
    finally:
        ended.set()


def _watch(transfer: Transfer, ended: Event, connection: socket.socket) -> None:
    moved = 0
    while not ended.wait(WINDOW_S):
        if transfer.moved - moved < MIN_BYTES_PER_WINDOW:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
            return
        moved = transfer.moved
