"""A file that is cut short anywhere is never taken for a whole one."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import CorruptInputError, SourceError
from blurscene_stream.frames import CopiedPacket, Frame
from blurscene_stream.source import open_source
from blurscene_stream.source.container.completeness import missing_bytes
from tests.profiles import examples
from tests.videos import VideoSpec, make_video

SPEC = VideoSpec(12, 64, 48)
FASTSTART = {"movflags": "+faststart"}
FILES: dict[str, tuple[VideoSpec, dict[str, str]]] = {
    "plain.mp4": (SPEC, {}),
    "fast.mp4": (SPEC, FASTSTART),
    "fragments.mp4": (SPEC, {"movflags": "+frag_keyframe+empty_moov"}),
    "film.mov": (SPEC, FASTSTART),
    "film.mkv": (SPEC, {}),
    "film.webm": (VideoSpec(12, 64, 48, codec="libvpx-vp9", audio=("libopus",)), {}),
    "film.avi": (VideoSpec(12, 64, 48, codec="mpeg4", audio=("mp2",)), {}),
    "film.ts": (SPEC, {}),
    "film.m2ts": (SPEC, {}),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("films")
    for name, (spec, options) in FILES.items():
        make_video(folder / name, spec, options)
    return lambda name: (folder / name).read_bytes()


def read(path: Path) -> tuple[int, int]:
    """Frames and audio packets."""
    with open_source(Address(str(path)), Settings()) as source:
        items = [type(item) for item in source.items()]
    return items.count(Frame), items.count(CopiedPacket)


@pytest.mark.parametrize("name", FILES)
@examples(40)
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
@example(share=0.999999)
def test_any_cut(name: str, share: float, films: Callable[[str], bytes]) -> None:
    """An error, or everything that the whole file gives; between two packets or fragments nobody can tell."""
    data = films(name)
    cut = int(len(data) * share)
    packet = {"film.ts": 188, "film.m2ts": 192}.get(name)
    undetectable = data[cut + 4 : cut + 8] in (b"moof", b"mfra") if packet is None else cut % packet == 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        whole = read(path)
        path.write_bytes(data[:cut])
        try:
            found = read(path)
        except (CorruptInputError, SourceError) as error:
            assert str(path) in str(error)
            return
        assert found == whole or undetectable


def empty_atoms(*lengths: int) -> bytes:
    return b"".join(struct.pack(">I4s", length, b"free") + bytes(max(0, length - 8)) for length in lengths)


SEGMENT = b"\x1a\x45\xdf\xa3\x84EBML\x18\x53\x80\x67"
STRUCTURES: dict[str, tuple[str, bytes, int]] = {
    # what it is -> libav's name of the format, the file, bytes that are missing
    "whole atoms": ("mov,mp4", empty_atoms(16, 24), 0),
    "an atom without its end": ("mov,mp4", empty_atoms(16, 24)[:-5], 5),
    "an atom to the end of the file": ("mov,mp4", empty_atoms(16) + b"\0\0\0\0mdat" + bytes(99), 0),
    "an atom of 64 bits": ("mov,mp4", b"\0\0\0\1mdat" + (40).to_bytes(8, "big") + bytes(20), 4),
    "padding after the last atom": ("mov,mp4", empty_atoms(16) + bytes(50), 0),
    "half a header": ("mov,mp4", empty_atoms(16) + b"\0\0\0", 0),
    "nothing": ("mov,mp4", b"", 0),
    "a whole segment": ("matroska,webm", SEGMENT + b"\x84data", 0),
    "a segment without its end": ("matroska,webm", SEGMENT + b"\x88data", 4),
    "a segment of 8 bytes of length": ("matroska,webm", SEGMENT + b"\x01" + bytes(6) + b"\x09data", 5),
    "a segment of unknown size": ("matroska,webm", SEGMENT + b"\x01" + b"\xff" * 7 + b"data", 0),
    "two RIFF chunks": ("avi", b"RIFF\4\0\0\0AVI RIFF\4\0\0\0AVIX", 0),
    "the second is cut": ("avi", b"RIFF\4\0\0\0AVI RIFF\x14\0\0\0AVIX", 16),
    "whole packets": ("mpegts", (b"G" + bytes(187)) * 4, 0),
    "the last packet is cut": ("mpegts", (b"G" + bytes(187)) * 4 + b"G" + bytes(87), 100),
    "whole packets of 192": ("mpegts", (bytes(4) + b"G" + bytes(187)) * 4, 0),
    "the last of 192 is cut": ("mpegts", (bytes(4) + b"G" + bytes(187)) * 4 + bytes(92), 100),
    "out of step": ("mpegts", b"junk" + (b"G" + bytes(187)) * 4 + bytes(50), 0),
    "another format": ("flv", b"FLV" + bytes(10), 0),
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_what_the_structure_tells(what: str, tmp_path: Path) -> None:
    form, data, expected = STRUCTURES[what]
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        assert missing_bytes(file, form) == expected


@examples(300)
@given(form=st.sampled_from(["mov,mp4", "matroska,webm", "avi", "mpegts"]), data=st.binary(max_size=300))
def test_noise_is_no_trouble(form: str, data: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        assert missing_bytes(cast(BinaryIO, file), form) >= 0
        assert file.seek(0, io.SEEK_END) == len(data)
