"""The TCP connections that libav makes: it has no option for how long a server may leave data unread."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")


def connections() -> set[int]:
    """The descriptors of this process that are TCP connections; none where there is no /proc."""
    found = set()
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.is_dir() else ():  # noqa: PTH208  # names, not paths
        with suppress(OSError), _borrowed(int(name)) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getpeername():
                found.add(int(name))
    return found


def give_up_after(descriptor: int, timeout_s: float) -> None:
    """End a connection when what was written to it waits for longer.

    Without it megabytes of the system's buffers fill up first, which is minutes of video that nobody gets.
    """
    with suppress(OSError), _borrowed(descriptor) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(timeout_s * 1000))


@contextmanager
def _borrowed(descriptor: int) -> Generator[socket.socket]:
    """Raises OSError for what is no socket."""
    copy = os.dup(descriptor)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with connection:
        yield connection
