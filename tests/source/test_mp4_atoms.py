"""Sample formats of tracks and the places of metadata, read from MP4 atoms, damaged ones too."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, lists, tuples

from blurscene_stream.source.container.mp4_atoms import metadata_atoms, sample_formats
from tests.canaries import PLANTS
from tests.mp4_atoms import atom

WHERE = ("", "moov/", "moov/trak/")
MP4 = "mov,mp4,m4a,3gp,3g2,mj2"


def track(number: int, form: bytes, version: int = 0) -> bytes:
    header = struct.pack(">IQQI", version << 24, 0, 0, number) if version else struct.pack(">IIII", 0, 0, 0, number)
    entries = struct.pack(">II", 0, 1) + atom(form, bytes(8))
    table = atom(b"mdia", atom(b"minf", atom(b"stbl", atom(b"stsd", entries))))
    return atom(b"trak", atom(b"tkhd", header + bytes(60)) + table)


def test_each_track_is_known_by_its_number(tmp_path: Path) -> None:
    tracks = track(1, b"avc1") + track(7, b"gpmd", version=1) + atom(b"trak", b"") + track(9, b"camm")
    path = tmp_path / "in.mp4"
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"movie"  # its length in eight bytes
    path.write_bytes(atom(b"ftyp", b"isom") + large + atom(b"moov", tracks))
    assert sample_formats(path, MP4) == {1: "avc1", 7: "gpmd", 9: "camm"}
    assert sample_formats(path, "matroska,webm") == {}
    assert sample_formats(tmp_path, MP4) == {}


@pytest.mark.parametrize("where", WHERE)
def test_metadata_atoms_are_found_wherever_they_are(where: str, tmp_path: Path) -> None:
    extra = {where: atom(b"udta", b"x") + atom(b"uuid", b"y" * 16)}
    tracks = atom(b"trak", extra.get("moov/trak/", b""))
    path = tmp_path / "in.mp4"
    path.write_bytes(atom(b"moov", tracks + extra.get("moov/", b"")) + extra.get("", b""))
    assert metadata_atoms(path, MP4) == [where + "udta", where + "uuid"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PLANTS["GPS track of mp4 (gpmd)"](tmp_path_factory.mktemp("whole"))


@given(damage=lists(tuples(integers(0, 8000), binary(min_size=1, max_size=8)), max_size=5), length=integers(0, 8000))
def test_damaged_atoms_are_no_error(damage: list[tuple[int, bytes]], length: int, whole: Path) -> None:
    data = whole.read_bytes()
    for place, other in damage:
        data = data[:place] + other + data[place + len(other) :]
    path = whole.with_name("damaged.mp4")
    path.write_bytes(data[:length])
    assert all(len(form) <= 4 for form in sample_formats(path, MP4).values())
    assert set(metadata_atoms(path, MP4)) <= {f"{w}{n}" for w in WHERE for n in ("udta", "meta", "uuid")}
