"""Clients that send or take too slowly, or never close: they are cut, and the others are served."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread

import numpy as np
import pytest

from tests.pictures import file_of, samples_of
from tests.server.gunicorn_server import Server, until

THREADS = 2
WINDOW_S = 0.8
DETECTION_S = 1.0  # longer than the window: a client that waits is not slow
PICTURE = file_of(samples_of(3), "png")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker of two threads, and a place for one picture."""
    variables = {
        "THREADS": str(THREADS),
        "BLURSCENE_SERVER__QUEUE_SIZE": "1",
        "BLURSCENE_SERVER__TRANSFER_WINDOW_S": str(WINDOW_S),
        "BLURSCENE_SERVER__MIN_TRANSFER_BYTES_PER_S": "1000",
    }
    started = Server(tmp_path_factory.mktemp("server"), DETECTION_S, workers=1, variables=variables)
    yield started
    started.close()


def head(path: str, mimetype: str, size: int) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {mimetype}", f"Content-Length: {size}")
    return "\r\n".join((*lines, "", "")).encode()


class Trickle:
    """A client that sends a byte now and then, until it is cut."""

    def __init__(self, server: Server, begin: bytes) -> None:
        self.connection = socket.create_connection(("127.0.0.1", server.port))
        self.connection.sendall(begin)
        self.cut, self._stopped = Event(), Event()
        self._thread = Thread(target=self._send)
        self._thread.start()

    def __enter__(self) -> Trickle:
        return self

    def _send(self) -> None:
        with suppress(OSError):  # cut
            while not self._stopped.wait(WINDOW_S / 10):
                self.connection.sendall(b"x")
        if not self._stopped.is_set():
            self.cut.set()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self.connection.close()


@pytest.mark.parametrize(
    "begin",
    [b"GET /limits HTTP/1.1\r\nX-Padding: ", head("/anonymize", "image/png", 5000), head("/jobs", "video/mp4", 5000)],
    ids=["head", "picture", "video"],
)
def test_a_client_that_sends_a_byte_now_and_then_is_cut(server: Server, begin: bytes) -> None:
    with Trickle(server, begin) as slow:
        assert server.ask("GET", "/healthz")[0] == 200
        with Trickle(server, begin):  # now no thread is free
            start_s = time.monotonic()
            assert server.ask("GET", "/healthz")[0] == 200
        assert time.monotonic() - start_s < 10 * WINDOW_S
        until(slow.cut.is_set)
    assert "a client was cut off" in server.log.read_text()


def test_the_place_of_a_client_that_was_cut_is_free_again(server: Server) -> None:
    def status() -> int:
        return server.ask("POST", "/detect", PICTURE, "image/png")[0]

    def refused_meanwhile() -> bool:
        with Trickle(server, head("/detect", "image/png", 5000)) as slow:
            first = status()
            until(slow.cut.is_set)
        return first == 503

    until(refused_meanwhile)  # the other may have been the first, on a busy machine
    until(lambda: status() == 200)
    until(lambda: server.folders() == [])


def cuts(server: Server) -> int:
    return server.log.read_text().count("a client was cut off")


def test_a_client_that_takes_nothing_of_its_answer_is_cut(server: Server) -> None:
    noise = np.random.default_rng(1).integers(0, 180, (1200, 2000, 3)).astype(np.uint8)
    picture, before = file_of(noise, "bmp"), cuts(server)  # as PNG it is larger than the system's buffers
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(head("/anonymize", "image/bmp", len(picture)) + picture)
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert server.ask("GET", "/healthz")[0] == 200
        until(lambda: cuts(server) > before)
        assert taken(client) < len(picture) / 2


def taken(client: socket.socket) -> int:
    size = 0
    with suppress(ConnectionError):
        while piece := client.recv(1 << 16):
            size += len(piece)
    return size


def test_a_client_that_is_not_fast_is_served(server: Server) -> None:
    before = cuts(server)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(head("/anonymize", "image/png", len(PICTURE)))
        pieces = [PICTURE[at : at + len(PICTURE) // 12] for at in range(0, len(PICTURE), len(PICTURE) // 12)]
        for piece in pieces:
            client.sendall(piece)
            time.sleep(WINDOW_S / 5)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert cuts(server) == before


def test_a_client_that_does_not_close_holds_up_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /limits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        taken(client)
        start_s = time.monotonic()
        assert server.ask("GET", "/healthz")[0] == 200
        assert time.monotonic() - start_s < 1


@pytest.mark.parametrize("route", ["/anonymize", "/jobs"])
def test_a_body_that_is_garbled_or_breaks_off_is_no_error_of_ours(server: Server, route: str) -> None:
    before = server.log.read_text().count(f"{route} 400")
    kind = "image/png" if route == "/anonymize" else "video/mp4"
    chunked = head(route, kind, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(chunked + b"no number\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(chunked + b"5\r\nabcde\r\n9")
    until(lambda: server.log.read_text().count(f"{route} 400") == before + 2)
    assert "internal error" not in server.log.read_text()
