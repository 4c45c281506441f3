"""Byte accounting: what is carried along in a file, beside its pictures and its audio, is found wherever it is."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from blurscene_stream.verify import Grade
from blurscene_stream.verify.container import account_bytes
from blurscene_stream.verify.container.coded_video import coded_video
from tests.detectors import SquareDetector
from tests.mp4_atoms import add_to_sample_entry, atom
from tests.verify.conftest import ENCODERS, Honest
from tests.verify.hiding import JPEG, Change, element, in_segment, moved, repacked, ts_packet
from tests.verify.runs import check_of, checked, report_text
from tests.verify.scenes import Scene, make_scene

X264 = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")


def _strays(path: Path) -> str:
    return "\n".join(account_bytes(path).check.lines()[1:])


@pytest.mark.parametrize("name", ENCODERS)
def test_every_byte_of_an_output_is_accounted_for(name: str, outputs: dict[str, Path]) -> None:
    account = account_bytes(outputs[name])
    account.finish(3)
    assert account.check.grade is Grade.ok, account.check.lines()
    assert "3 pictures and" in account.check.summary


def _before_mdat(data: bytes, added: bytes) -> bytes:
    at = data.index(b"mdat") - 4
    new = moved(data, len(added))
    return new[:at] + added + new[at:]


def _in_mdat(data: bytes) -> bytes:
    at = data.index(b"mdat") - 4
    return data[:at] + struct.pack(">I", len(data) - at + len(JPEG)) + data[at + 4 :] + JPEG


MP4: dict[str, Change] = {
    "another file behind it": lambda data: data + data,
    "a second mdat": lambda data: data + atom(b"mdat", JPEG),
    "bytes behind the last atom": lambda data: data + JPEG[:7],
    "bytes behind the last sample": _in_mdat,
    "a full free atom": lambda data: _before_mdat(data, atom(b"free", JPEG)),
    "an unknown atom": lambda data: _before_mdat(data, atom(b"skip", JPEG)),
}


@pytest.mark.parametrize("what", MP4)
def test_what_an_mp4_carries_along_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(MP4[what](outputs["mp4"].read_bytes()))
    check = account_bytes(path).check
    assert check.grade is Grade.fail
    assert "at offset" in _strays(path)


def test_a_picture_in_an_icc_profile_is_found(outputs: dict[str, Path], tmp_path: Path) -> None:
    path = repacked(outputs["mp4"], tmp_path / "out.mp4", lambda data: data)
    assert "avc1/colr" in _strays(add_to_sample_entry(path, atom(b"colr", b"prof" + JPEG)))


def test_the_place_and_the_size_are_named(outputs: dict[str, Path], tmp_path: Path) -> None:
    path, data = tmp_path / "out.mp4", outputs["mp4"].read_bytes()
    path.write_bytes(data + JPEG[:7])
    assert _strays(path).strip() == f"7 bytes at offset {len(data):,}: behind the last atom"


MATROSKA: dict[str, Change] = {
    "bytes behind the segment": lambda data: data + JPEG,
    "an element behind the segment": lambda data: data + element("ec", bytes(9)),
    "a full Void": in_segment(element("ec", JPEG)),
    "a huge empty Void": in_segment(element("ec", bytes(9000))),
    "an unknown element": in_segment(element("4dcc", JPEG)),
    "a block of no track": in_segment(element("1f43b675", element("a3", b"\x85\0\0\x80" + JPEG))),
    "a second head": in_segment(element("1549a966", b"")),
    "a long number": lambda data: data.replace(b"\xe7\x81\0", b"\xec\x81\0", 1),  # its checksum is of something else
}


@pytest.mark.parametrize("what", MATROSKA)
def test_what_a_matroska_carries_along_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    path.write_bytes(MATROSKA[what](outputs["mkv"].read_bytes()))
    assert account_bytes(path).check.grade is Grade.fail


def _stuffed(data: bytes) -> bytes:
    """Write into the stuffing of the last packet."""
    return data[:-188] + data[-188:-60].replace(b"\xff" * 8, JPEG[:8]) + data[-60:]


TRANSPORT: dict[str, Change] = {
    "null packets": lambda data: data + ts_packet(0x1FFF, JPEG[:100]),
    "a PID of no table": lambda data: data + ts_packet(0x777, JPEG[:100]),
    "bytes that are no packet": lambda data: data + b"\x48" * 188,
    "stuffing": _stuffed,
    "another table": lambda data: data + ts_packet(0x4000, b"\0\0" + JPEG[:90]),
    "a packet without content": lambda data: data + ts_packet(0x100, b"\0" + JPEG[:90], 0x20),
    "private data": lambda data: data + ts_packet(0x100, b"\xb7\x02" + JPEG[:180], 0x20),
}


@pytest.mark.parametrize("what", TRANSPORT)
def test_what_a_transport_stream_carries_along_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.ts"
    path.write_bytes(TRANSPORT[what](outputs["ts"].read_bytes()))
    assert account_bytes(path).check.grade is Grade.fail


def _unit(head: bytes, body: bytes = JPEG) -> Change:
    return lambda data: data + struct.pack(">I", len(head + body)) + head + body


def _as_type_24(data: bytes) -> bytes:
    """Add each slice once more, as a NAL unit of type 24."""
    at, added = 0, b""
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        unit = data[at + 4 : at + 4 + size]
        added += data[at : at + 4] + bytes([unit[0] & 0xE0 | 24]) + unit[1:] if unit[0] & 0x1F in (1, 5) else b""
        at += 4 + size
    return data + added


def _sei(body: bytes) -> bytes:
    return b"\x05" + b"\xff" * (len(body) // 255) + bytes([len(body) % 255]) + body + b"\x80"


def _obu(obu_type: int) -> Change:
    return lambda data: data + bytes([obu_type << 3 | 2, 200, 1]) + b"\x07" * 200


INSIDE: dict[str, tuple[str, Change]] = {
    "H.264 filler": ("mp4", _unit(b"\x0c")),
    "H.264 type 19": ("mp4", _unit(b"\x13")),
    "H.264 type 20": ("mp4", _unit(b"\x14")),
    "H.264 type 24": ("mp4", _unit(b"\x18")),
    "raw slices as type 24": ("mp4", _as_type_24),
    "a second slice": ("mp4", lambda data: data + data[-4 - int.from_bytes(data[:4], "big") :]),
    "settings of x264 and more": ("mp4", _unit(b"\x06", _sei(X264 + b"x264 - core 165" + JPEG))),
    "x264 and a picture": ("mp4", _unit(b"\x06", _sei(X264 + b"x264 - core " + JPEG))),
    "registered user data": ("mp4", _unit(b"\x06", b"\x04\x28" + JPEG[:40] + b"\x80")),
    "a long parameter set": ("mp4", _unit(b"\x68")),
    "another parameter set": ("mp4", _unit(b"\x68", JPEG[:9])),
    "bytes that are no unit": ("mp4", lambda data: data + b"\1\2\3"),
    "HEVC filler": ("hevc.mp4", _unit(b"\x4c\x01")),
    "an HEVC layer": ("hevc.mp4", _unit(b"\x02\x09")),
    "AV1 metadata": ("av1.mp4", _obu(5)),
    "a VP9 superframe": ("vp9.webm", lambda data: JPEG + data + b"\xc0\x01\xc0"),
    "behind FFV1": ("ffv1.mkv", lambda data: JPEG + data),
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_is_inside_the_packets_of_the_video_is_found(what: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    name, change = INSIDE[what]
    honest = repacked(outputs[name], tmp_path / f"honest.{name}", lambda data: data)
    assert account_bytes(honest).check.grade is Grade.ok, _strays(honest)
    path = repacked(outputs[name], tmp_path / f"out.{name}", change)
    assert account_bytes(path).check.grade is Grade.fail


@pytest.mark.parametrize("obu_type", [7, 8, 15, 9])
def test_units_of_av1_that_no_encoder_of_ours_writes_are_found(obu_type: int, outputs: dict[str, Path]) -> None:
    """A second header of a frame, a tile list, padding and a reserved one; libav's muxers leave them out."""
    with av.open(str(outputs["av1.mp4"])) as container:
        data = next(bytes(packet) for packet in container.demux(video=0))
    assert not list(coded_video("av1").packet(0, data))
    (stray,) = coded_video("av1").packet(0, _obu(obu_type)(data))
    assert (stray.offset, stray.length) == (len(data), 203)


def _coded(path: Path, size: tuple[int, int], first: int, options: str) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 25, {"x264-params": f"sliced-threads=0:{options}"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for number in range(first, 12):
            grey = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def test_rows_that_cropping_hides_are_found(tmp_path: Path) -> None:
    honest = _coded(tmp_path / "honest.mp4", (312, 180), 0, "bframes=0")  # 8 columns and 12 rows fill the last blocks
    assert account_bytes(honest).check.grade is Grade.ok, _strays(honest)
    cropped = _coded(tmp_path / "out.mp4", (320, 384), 0, "crop-rect=0,0,0,204")
    assert "hides 0x204 px of the coded picture" in _strays(cropped)
    assert "hides 2x0 px" in _strays(_coded(tmp_path / "left.mp4", (320, 192), 0, "crop-rect=2,0,0,0"))


def test_the_settings_of_x265_are_known_with_odd_pixels(tmp_path: Path) -> None:
    """It writes "sar-width : sar-height=16:15" among them."""
    path = tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx265", 25, {"x265-params": "log-level=error"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(16, 15)
        frame = av.VideoFrame.from_ndarray(np.full((72, 64), 99, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*video.encode(frame), *video.encode(None)])
    assert account_bytes(path).check.grade is Grade.ok, _strays(path)


def test_pictures_before_an_edit_list_are_found(tmp_path: Path) -> None:
    path = _coded(tmp_path / "out.mp4", (64, 48), -12, "bframes=0")
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 12
    found = checked(_coded(tmp_path / "in.mp4", (64, 48), 0, "bframes=0"), path, None, detector=SquareDetector())
    assert check_of(found, "bytes").grade is Grade.fail, report_text(found)
    assert "OUTPUT holds 24 pictures, and players show 12" in report_text(found)


def test_what_is_carried_along_fails_a_verification(honest: Honest, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(honest.target.read_bytes() + honest.source.read_bytes())
    found = honest.verify(path)
    assert check_of(found, "bytes").grade is Grade.fail
    assert f"at offset {honest.target.stat().st_size:,}: " in report_text(found)


def test_a_container_that_no_run_writes_is_for_review(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "out.avi", Scene(frames=2, width=64, height=48, audio=()))
    assert account_bytes(path).check.grade is Grade.review


def test_a_codec_that_no_run_writes_is_for_review(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "out.mkv", Scene(frames=2, codec="mpeg4", width=64, height=48, audio=(), options={}))
    assert account_bytes(path).check.grade is Grade.review
