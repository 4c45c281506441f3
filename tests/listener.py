"""Takes what one client publishes over RTSP (RFC 2326), and keeps every byte.

python -m tests.listener FILE: prints its port. A process of its own, as libav waits for answers with the GIL held.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE

from tests.conftest import ROOT
from tests.processes import started

REQUEST = re.compile(rb"[A-Z]+ rtsp://\S+ RTSP/1.0\r\n(?:[^\r]+\r\n)*?CSeq: (\d+)\r\n")


def listen(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        server.accept()[0].close()  # the knock
        connection, _ = server.accept()
        heard, answered = b"", 0
        with connection, suppress(ConnectionResetError, BrokenPipeError):  # it does not wait for the last answer
            while data := connection.recv(65536):
                heard += data
                asked = REQUEST.findall(heard)
                for number, place in enumerate(asked[answered:], start=answered):
                    connection.sendall(answer(number, place.decode()))
                answered = len(asked)
    file.write_bytes(heard)


def answer(number: int, place: str) -> bytes:
    """Yes, to everything; the third request and those after it set up a track each, with two channels."""
    channel = 2 * max(0, number - 2)
    transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1};mode=record"
    return f"RTSP/1.0 200 OK\r\nCSeq: {place}\r\nSession: 1\r\n{transport}\r\n\r\n".encode()


@contextmanager
def listener(file: Path) -> Iterator[str]:
    """Its address; after the block, `file` holds what it has heard."""
    with started([sys.executable, "-m", "tests.listener", file], cwd=ROOT, stdout=PIPE, text=True) as process:
        yield f"rtsp://127.0.0.1:{int(process.stdout.readline())}/live"
        process.wait(timeout=10)


if __name__ == "__main__":
    listen(Path(sys.argv[1]))
