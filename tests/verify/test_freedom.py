"""Byte accounting of what libav skips: structures that a file may hold, with more in them than libav writes there."""

from __future__ import annotations

import base64
import struct
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from blurscene_stream.verify import Grade
from blurscene_stream.verify.container import account_bytes
from blurscene_stream.verify.container.coded_video import FFV1_FOOTER_BYTES, coded_video, with_checksum
from tests.mp4_atoms import atom, atoms
from tests.verify.hiding import JPEG, Change, element, in_element, in_segment, inside_atom, repacked, ts_packet

TEXT = base64.b64encode(JPEG)
PIECES = [JPEG[at : at + 16] for at in range(0, 960, 16)]
STBL = "moov/trak/mdia/minf/stbl"


def _added(added: bytes) -> Change:
    return lambda body: body + added


def _empty_chunks(stbl: bytes) -> bytes:
    """Add chunks without a sample, whose offsets are data."""
    parts: list[bytes] = []
    chunks = len(dict(atoms(stbl))[b"stco"]) // 4 - 2
    for name, body in atoms(stbl):
        head, rows = body[:4], int.from_bytes(body[4:8], "big")
        if name == b"stsc":
            more = struct.pack(">I", rows + 1) + body[8:] + struct.pack(">3I", chunks + 1, 0, 1)
        elif name == b"stco":
            more = struct.pack(">I", chunks + 250) + body[8:] + JPEG[:1000]
        else:
            more = body[4:]
        parts.append(atom(name, head, more))
    return b"".join(parts)


KEYS = atom(b"keys", bytes(4), struct.pack(">I", 1), atom(b"mdta", JPEG))
HANDLER = atom(b"hdlr", bytes(8) + b"mdta" + bytes(12))
TAG = atom(b"\xa9too", struct.pack(">HH", 4, 0x15C7) + b"Lavf")
MP4: dict[str, Change] = {
    "groups of samples": inside_atom(STBL, _added(atom(b"sbgp", bytes(4) + b"roll\0\0\0\x64" + JPEG[:800]))),
    "a description of groups": inside_atom(STBL, _added(atom(b"sgpd", JPEG[:160]))),
    "chunks without samples": inside_atom(STBL, _empty_chunks),
    "names of tags": inside_atom("moov", _added(atom(b"meta", bytes(4), HANDLER, KEYS, atom(b"ilst")))),
    "names of tags elsewhere": inside_atom(STBL, _added(KEYS)),
    "a tag that libav does not know": inside_atom(
        "moov/udta/meta/ilst", _added(atom(b"\xa9QQQ", atom(b"data", b"\0\0\0\1" + bytes(4) + TEXT)))
    ),
    "a list of tags elsewhere": inside_atom(
        STBL, _added(atom(b"ilst", atom(b"\xa9too", atom(b"data", b"\0\0\0\1" + bytes(4) + TEXT))))
    ),
    "a text behind a tag": inside_atom("moov/udta", lambda body: body + TAG[:3] + b"\xff" + TAG[4:] + TEXT[:239]),
    "a text under another": inside_atom(
        "moov/udta", _added(atom(b"\xa9swr", struct.pack(">HH", len(TEXT), 0x15C7) + TEXT) + TAG)
    ),
}


@pytest.mark.parametrize("what", MP4)
def test_what_libav_skips_in_an_mp4_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(MP4[what](outputs["mp4"].read_bytes()))
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 3
    assert account_bytes(path).check.grade is Grade.fail


def _simple_tag(name: bytes, text: bytes, *more: bytes) -> bytes:
    return element("7373", element("63c0"), element("67c8", element("45a3", name), element("4487", text), *more))


CUES = (
    element("bb", element("b3", one[:8]), element("b7", element("f7", b"\1"), element("f1", one[8:]))) for one in PIECES
)
MATROSKA: dict[str, Change] = {
    "places of elements": in_element(
        "114d9b74", b"".join(element("4dbb", element("53ab", one), element("53ac", one)) for one in PIECES)
    ),
    "places of blocks": in_element("1c53bb6b", b"".join(CUES)),
    "references of a block": in_element("1f43b675", element("a0", *(element("fb", one) for one in PIECES))),
    "the language of a tag": in_element("1254c367", _simple_tag(b"ENCODER", b"Lavf", element("447a", TEXT))),
    "a tag under another": in_element("1254c367", _simple_tag(b"ENCODER", TEXT) + _simple_tag(b"ENCODER", b"Lavf")),
    "tags without a text": in_element(
        "1254c367", b"".join(element("7373", element("63c0", element("68ca", one))) for one in PIECES)
    ),
    "a file without a name": in_segment(element("1941a469", element("61a7", element("465c", JPEG)))),
    "a name without a file": in_segment(element("1941a469", element("61a7", element("466e", TEXT)))),
    "editions without chapters": in_segment(
        element("1043a770", *(element("45b9", element("45bc", one)) for one in PIECES))
    ),
    "a chapter without a time": in_segment(
        element("1043a770", element("45b9", element("b6", element("73c4", b"\1"), element("80", element("85", TEXT)))))
    ),
    "the type of the document": lambda data: (
        element("1a45dfa3", data[5:21], element("4282", b"matroska " + TEXT), data[32:40]) + data[40:]
    ),
}


@pytest.mark.parametrize("what", MATROSKA)
def test_what_libav_skips_in_a_matroska_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    path.write_bytes(MATROSKA[what](outputs["mkv"].read_bytes()))
    check = account_bytes(path).check
    assert check.grade is Grade.fail
    assert any("checksum" not in line for line in check.lines()[1:])


def test_clocks_of_a_transport_stream_are_in_its_pictures(outputs: dict[str, Path], tmp_path: Path) -> None:
    data = outputs["ts"].read_bytes()
    clocks = (ts_packet(0x100, b"\xb7\x10" + one[:6], 0x20) for one in PIECES)
    path = tmp_path / "out.ts"
    path.write_bytes(data + b"".join(clocks))
    assert account_bytes(path).check.found == len(PIECES)


def _unit(head: str, body: bytes = JPEG) -> bytes:
    return struct.pack(">I", len(head) // 2 + len(body)) + bytes.fromhex(head) + body


def _obu(obu_type: int, body: bytes) -> bytes:
    return bytes([obu_type << 3 | 2, 0x80 | len(body) & 127, len(body) >> 7]) + body


INSIDE: dict[str, tuple[str, Change]] = {
    "many times of a picture": ("mp4", lambda data: 20 * _unit("06", b"\x01\x04abcd\x80") + data),
    "a long time of a picture": ("mp4", lambda data: _unit("06", b"\x01\x20" + JPEG[4:36] + b"\x80") + data),
    "checksums": ("hevc.mp4", lambda data: data + _unit("5001", b"\x84\x32" + JPEG[4:54] + b"\x80")),
    "light levels that change": (
        "mp4",
        lambda data: _unit("06", b"\x90\x04" + struct.pack(">I", 0x01010101 + len(data)) + b"\x80") + data,
    ),
    "many delimiters": ("mp4", lambda data: b"".join(_unit("09", bytes([one])) for one in JPEG) + data),
    "tiles of no frame": ("av1.mp4", _added(_obu(4, JPEG))),
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_decoders_skip_in_a_packet_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    name, change = INSIDE[what]
    path = repacked(outputs[name], tmp_path / f"out.{name}", change)
    assert account_bytes(path).check.grade is Grade.fail


def test_metadata_of_av1_are_the_same_in_all_pictures(outputs: dict[str, Path]) -> None:
    with av.open(str(outputs["av1.mp4"])) as container:
        first, second, *_ = (bytes(packet) for packet in container.demux(video=0))
    video = coded_video("av1")
    assert not list(video.packet(0, _obu(5, b"\x02" + JPEG[:24] + b"\x80") + first))
    assert list(video.packet(0, _obu(5, b"\x02" + JPEG[24:48] + b"\x80") + second))


def _hidden_once_more(data: bytes) -> bytes:
    """Code each hidden picture of AV1 twice."""
    at, made = 0, b""
    while at < len(data):
        start, at = at, at + 1
        size = data[at] & 127 | (data[at + 1] << 7 if data[at] & 128 else 0)
        at += (2 if data[at] & 128 else 1) + size
        is_hidden = data[start] >> 3 == 6 and not data[at - size] & 0x90  # a frame that is not shown at once
        made += data[start:at] * (2 if is_hidden else 1)
    return made


def test_a_picture_of_av1_that_is_never_shown_is_found(outputs: dict[str, Path], tmp_path: Path) -> None:
    path = repacked(outputs["av1.mp4"], tmp_path / "out.mp4", _hidden_once_more)
    assert path.stat().st_size > repacked(outputs["av1.mp4"], tmp_path / "same.mp4", bytes).stat().st_size
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 3
    account = account_bytes(path)
    assert account.check.grade is Grade.ok, account.check.lines()
    account.finish(3)
    assert "pictures, and players show 3" in account.check.lines()[1]


def _behind_the_slice(data: bytes) -> bytes:
    size = int.from_bytes(data[:4], "big")
    assert 4 + size == len(data)
    return struct.pack(">I", size + len(JPEG)) + data[4:] + JPEG


def _behind_an_ffv1_slice(data: bytes) -> bytes:
    body = data[:-FFV1_FOOTER_BYTES]
    size = int.from_bytes(data[len(body) : len(body) + 3], "big") + len(JPEG)
    changed = body + JPEG + size.to_bytes(3, "big") + bytes(5)
    return with_checksum(slice(len(changed) - FFV1_FOOTER_BYTES - size, len(changed) - FFV1_FOOTER_BYTES), changed)


@pytest.mark.parametrize(
    ("name", "change"),
    [("mp4", _behind_the_slice), ("hevc.mp4", _behind_the_slice), ("ffv1.mkv", _behind_an_ffv1_slice)],
)
def test_what_follows_a_coded_picture_is_found(
    name: str, change: Change, outputs: dict[str, Path], tmp_path: Path
) -> None:
    """In all pictures but the first, which has the encoder's account of its settings before it."""
    seen: list[bytes] = []

    def change_later(data: bytes) -> bytes:
        seen.append(data)
        return data if len(seen) == 1 else change(data)

    path = repacked(outputs[name], tmp_path / f"out.{name}", change_later)
    with av.open(str(path)) as new, av.open(str(outputs[name])) as old:
        pairs = zip(new.decode(video=0), old.decode(video=0), strict=True)
        assert all((one.to_ndarray() == other.to_ndarray()).all() for one, other in pairs)
    check = account_bytes(path).check
    assert check.found == 2
    assert all("that no decoder reads" in line for line in check.lines()[1:])


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"preset": "veryfast", "crf": "20", "x264-params": "sliced-threads=0"}),
        ("libx264", {"preset": "ultrafast", "crf": "35", "x264-params": "sliced-threads=0"}),
        ("libx264", {"preset": "medium", "qp": "0", "x264-params": "sliced-threads=0"}),
        ("libx265", {"preset": "veryfast", "crf": "30", "x265-params": "log-level=error"}),
    ],
)
@pytest.mark.parametrize("grey", [16, 128, 255])
def test_the_end_of_a_flat_picture_is_read(codec: str, options: dict[str, str], grey: int, tmp_path: Path) -> None:
    """There is next to nothing in it that could be read differently."""
    path = tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        video = cast(VideoStream, container.add_stream(codec, 25, options))
        video.width, video.height, video.pix_fmt = 320, 176, "yuv420p"
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((264, 320), grey, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    check = account_bytes(path).check
    assert check.grade is Grade.ok, check.lines()
