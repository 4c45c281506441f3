"""Which descriptors are connections; nothing is left open by the question."""

from __future__ import annotations

import socket
from pathlib import Path

from blurscene_stream.sink.connections import OPEN_FILES, connections


def test_connections_are_found_and_no_descriptor_is_left_open(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w"),
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        before = set(OPEN_FILES.iterdir())
        found = connections()
        assert set(OPEN_FILES.iterdir()) == before
        assert client.fileno() in found
        assert server.fileno() not in found
