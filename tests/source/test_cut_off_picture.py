"""A camera that goes in the middle of a picture: what came before is whole, and that picture is dropped."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest

from blurscene_stream.address import parse_address
from blurscene_stream.config.schema import RtspConfig, Settings
from blurscene_stream.errors import SourceLostError
from blurscene_stream.source.container.stream_selection import select_streams
from blurscene_stream.source.frames.video_decoder import DecodedFrame
from blurscene_stream.source.live import LiveReader, open_live
from tests.processes import PATIENCE_S
from tests.source.test_silent_camera import answer

FRAMES, SLICES, SIDE = 40, 4, 256
MAX_NAL = 1300  # bytes that fit into one RTP packet
TICKS = 90_000 // 25


def _pictures() -> list[list[bytes]]:
    """The NAL units of each access unit of a short film of white stripes."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = SIDE
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", Fraction(25), Fraction(1, 25)
    encoder.options = {"tune": "zerolatency", "x264-params": f"slices={SLICES}:annexb=1:keyint=10", "crf": "40"}
    units = []
    for number in range(FRAMES):
        luma = np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)
        luma[:SIDE, number % SIDE :: 16] = 235
        frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
        frame.pts = number
        units += [bytes(packet) for packet in encoder.encode(frame)]
    return [[nal for nal in unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if nal] for unit in units]


def _interleaved(pictures: list[list[bytes]]) -> bytes:
    """RTP (RFC 3550) of one NAL unit a packet (RFC 6184, 5.6), as RTSP sends it in its own connection."""
    sent, number = b"", 0
    for at, nals in enumerate(pictures):
        for nal in nals:
            assert len(nal) <= MAX_NAL
            marker = 0x80 if nal is nals[-1] else 0
            rtp = struct.pack(">BBHII", 0x80, 96 | marker, number, at * TICKS, 1) + nal
            sent += b"$\0" + struct.pack(">H", len(rtp)) + rtp
            number += 1
    return sent


def _serve(listener: socket.socket, sent: bytes) -> None:
    """Play `sent` to whoever comes, and hang up."""
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE_S)
    with connection, suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(answer(data.decode()).encode())
            if data.startswith(b"PLAY"):
                connection.sendall(sent)
                return


@pytest.fixture
def cut_off() -> Generator[int]:
    """The port of a camera whose last picture ends after its first slice."""
    *whole, last = _pictures()
    assert len(last) > 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        sent = _interleaved([*whole, last[:1]])
        thread = threading.Thread(target=_serve, args=(listener, sent), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_a_picture_that_is_cut_off_is_dropped(cut_off: int) -> None:
    settings = RtspConfig(open_timeout_s=5, read_timeout_s=2)
    shown = []
    with open_live(parse_address(f"rtsp://127.0.0.1:{cut_off}/cam"), settings) as container:
        selection = select_streams(container, "rtsp://camera", Settings())
        with pytest.raises(SourceLostError, match="the source was lost"):
            for item in LiveReader(container, selection, max_wait_s=5).read():
                assert isinstance(item, DecodedFrame)
                shown.append(item.frame.to_ndarray(format="gray"))
    bright = [(picture > 200).mean(axis=1) for picture in shown]
    assert len(shown) == FRAMES - 1
    assert all(np.allclose(rows, rows[0]) for rows in bright), "stripes from the top to the bottom"
