"""A camera that accepts everything, and then is silent or sends garbage: lost, as one that does not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import suppress

import pytest

from blurscene_stream.address import parse_address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.errors import SourceLostError
from blurscene_stream.source.live import open_live
from tests.processes import PATIENCE_S

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
SDP += "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
GARBAGE = b"$\0" + (212).to_bytes(2, "big") + b"\x80\x60\0\1" + bytes(8) + b"\x7f" * 200  # an RTP packet, interleaved


def answer(request: str) -> str:
    """Answer one RTSP request as a camera does."""
    number = request.partition("CSeq: ")[2].split()[0]
    head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n"
    if request.startswith("DESCRIBE"):
        return f"{head}Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    if request.startswith("SETUP"):
        head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    return f"{head}Public: DESCRIBE, SETUP, PLAY\r\n\r\n"


def _serve(listener: socket.socket, sent: bytes) -> None:
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE_S)
    with connection, suppress(OSError):
        while data := connection.recv(4096):
            if data.startswith(b"$"):
                continue
            connection.sendall(answer(data.decode()).encode())
            if data.startswith(b"PLAY"):
                connection.sendall(sent * 50)


@pytest.fixture(params=[b"", GARBAGE], ids=["silent", "garbage"])
def port(request: pytest.FixtureRequest) -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=_serve, args=(listener, request.param), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_a_camera_without_a_picture_is_lost(port: int) -> None:
    address = parse_address(f"RTSP://user:secret@127.0.0.1:{port}/live")
    with pytest.raises(SourceLostError) as caught:
        open_live(address, RtspConfig(open_timeout_s=3, read_timeout_s=1))
    assert str(caught.value).startswith(f"rtsp://127.0.0.1:{port}/live: ")
    assert caught.value.exit_code == 8
