"""TCP sockets of this process are found, and no descriptor is left open."""

from __future__ import annotations

import socket
from pathlib import Path

from blurscene_stream.sink.rtsp_sink import OPEN_FILES, tcp_sockets


def test_tcp_sockets_are_found_and_no_descriptor_is_left_open(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w"),
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        before = set(OPEN_FILES.iterdir())
        found = tcp_sockets()
        assert set(OPEN_FILES.iterdir()) == before
        assert client.fileno() in found
        assert server.fileno() not in found
