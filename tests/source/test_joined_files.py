"""`cat a.mp4 b.mp4`: what libav would leave out without a word is refused, what it reads on in is not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import CorruptInputError
from blurscene_stream.frames import Frame
from blurscene_stream.source import open_source
from blurscene_stream.source.container.completeness import SIGNATURES, MovieCollector, SignatureFinder
from blurscene_stream.source.container.mp4_atoms import atom_spans
from tests.processes import started
from tests.profiles import examples
from tests.videos import VideoSpec, make_video

FRAMES = 6
SPEC = VideoSpec(FRAMES, 64, 48, audio=(), options={"g": "3"})
OLD = VideoSpec(FRAMES, 64, 48, audio=(), codec="mpeg4")
VP8 = VideoSpec(FRAMES, 64, 48, audio=(), codec="libvpx", options={"deadline": "realtime"})
PNG = VideoSpec(FRAMES, 64, 48, audio=(), codec="apng", pixel_format="rgb24")
JPEG = VideoSpec(FRAMES, 64, 48, audio=(), codec="mjpeg", pixel_format="yuvj420p")
RAW = replace(SPEC, codec="rawvideo", options={})
FRAGMENTS = {"movflags": "+frag_keyframe+empty_moov+default_base_moof"}
FAST = {"movflags": "+faststart"}


def frames(path: Path) -> int:
    with open_source(Address(str(path)), Settings()) as source:
        return sum(isinstance(item, Frame) for item in source.items())


def joined(target: Path, *parts: Path) -> Path:
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


@pytest.mark.parametrize(
    ("ending", "spec", "options"),
    [
        ("mp4", SPEC, {}),
        ("mp4", SPEC, FAST),
        ("mov", SPEC, {}),
        ("flv", SPEC, {}),
        ("asf", OLD, {}),
        ("ivf", VP8, {}),
        ("apng", PNG, {}),
        ("nut", OLD, {}),
        ("swf", JPEG, {}),
    ],
)
def test_the_second_file_is_not_lost_in_silence(
    ending: str, spec: VideoSpec, options: dict[str, str], tmp_path: Path
) -> None:
    one = make_video(tmp_path / f"one.{ending}", spec, options)
    assert frames(one) == FRAMES
    for other in (one, make_video(tmp_path / f"other.{ending}", replace(spec, frames=3), options)):
        both = joined(tmp_path / f"both.{ending}", one, other)
        told = "another video begins behind the first|damaged after 5 frames"  # the second by FFmpeg 7, of IVF
        with pytest.raises(CorruptInputError, match=rf"both\.{ending}: ({told})"):
            frames(both)


def test_a_file_behind_fragments(tmp_path: Path) -> None:
    one = make_video(tmp_path / "one.mp4", SPEC, FRAGMENTS)
    assert frames(one) == FRAMES
    with pytest.raises(CorruptInputError, match="another video begins"):
        frames(joined(tmp_path / "both.mp4", one, make_video(tmp_path / "other.mp4", SPEC)))


@pytest.mark.parametrize("piped", [False, True])
def test_fragments_with_their_init_segment_before_each(piped: bool, tmp_path: Path) -> None:
    """As players keep what they fetch: libav reads all of it."""
    whole = make_video(tmp_path / "whole.mp4", SPEC, FRAGMENTS)
    data = whole.read_bytes()
    with whole.open("rb") as file:
        spans = [(name, data[start - 8 : start + length]) for name, start, length in atom_spans(file, len(data))]
    init = b"".join(atom for name, atom in spans if name in (b"ftyp", b"moov"))
    parts = [init + atom if name == b"moof" else atom for name, atom in spans if name in (b"moof", b"mdat")]
    source = tmp_path / "parts.mp4"
    source.write_bytes(b"".join(parts))
    assert source.read_bytes().count(b"moov") == 2
    assert (frames_through_pipe if piped else frames)(source) == FRAMES


def frames_through_pipe(*parts: Path) -> int:
    pipe = parts[0].with_name("pipe")
    os.mkfifo(pipe)
    with started(["sh", "-c", 'exec cat "$@" > pipe', "sh", *parts], cwd=pipe.parent):
        return frames(pipe)


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "libx264"), ("flv", "libx264"), ("asf", "mpeg4")])
def test_the_second_file_that_comes_through_a_pipe(ending: str, codec: str, tmp_path: Path) -> None:
    options = FAST if ending == "mp4" else {}
    one = make_video(tmp_path / f"one.{ending}", replace(SPEC, codec=codec), options)
    more = VideoSpec(100, 320, 240, audio=(), codec=codec)  # than libav reads ahead
    other = make_video(tmp_path / f"other.{ending}", more, options)
    with pytest.raises(CorruptInputError, match=r"pipe: another video begins .*; nothing was written$"):
        frames_through_pipe(one, other)


@pytest.mark.parametrize(("ending", "spec"), [("nut", RAW), ("nut", SPEC), ("nut", OLD), ("swf", JPEG)])
def test_the_second_file_of_which_libav_reads_a_part(ending: str, spec: VideoSpec, tmp_path: Path) -> None:
    """Through a pipe all formats of pictures in NUT: it looks for the next time to go on at, within the second file."""
    one = make_video(tmp_path / f"one.{ending}", replace(spec, frames=31))
    other = make_video(tmp_path / f"other.{ending}", replace(spec, frames=35))
    assert frames_through_pipe(one) == 31
    (tmp_path / "pipe").unlink()
    with pytest.raises(CorruptInputError, match=r"pipe: another video begins .*; nothing was written$"):
        frames_through_pipe(one, other)


def test_a_second_file_behind_one_of_unknown_length(tmp_path: Path) -> None:
    """An SWF that was written to a pipe says 100 MB."""
    one = make_video(tmp_path / "one.swf", JPEG)
    data = one.read_bytes()
    one.write_bytes(data[:4] + (100 << 20).to_bytes(4, "little") + data[8:])
    assert frames(one) == FRAMES
    with pytest.raises(CorruptInputError, match="another video begins"):
        frames(joined(tmp_path / "both.swf", one, one))


@pytest.mark.parametrize("ending", ["flv", "asf"])
def test_one_file_that_comes_through_a_pipe(ending: str, tmp_path: Path) -> None:
    assert frames_through_pipe(make_video(tmp_path / f"one.{ending}", OLD if ending == "asf" else SPEC)) == FRAMES


@given(before=st.binary(max_size=30), cuts=st.lists(st.integers(1, 20), min_size=1))
def test_a_signature_that_comes_in_pieces(before: bytes, cuts: list[int]) -> None:
    whole = SIGNATURES["asf"] + before + SIGNATURES["asf"] + b"body"
    finder, at = SignatureFinder(), 0
    while at < len(whole):
        size = cuts[at % len(cuts)]
        finder.feed(whole[at : at + size])
        at += size
    assert finder.last["asf"] == len(whole) - 4 - len(SIGNATURES["asf"])
    assert finder.size == len(whole)


@examples(60)
@given(
    atoms=st.lists(st.tuples(st.sampled_from([b"moov", b"free"]), st.binary(max_size=40), st.booleans()), max_size=6),
    cuts=st.lists(st.integers(1, 20), min_size=1),
)
def test_atoms_that_come_in_pieces(atoms: list[tuple[bytes, bytes, bool]], cuts: list[int]) -> None:
    whole = b""
    for name, body, long in atoms:
        header = b"\0\0\0\1" + name + (16 + len(body)).to_bytes(8, "big")
        whole += header + body if long else (8 + len(body)).to_bytes(4, "big") + name + body
    collector, at = MovieCollector(), 0
    while at < len(whole):
        size = cuts[at % len(cuts)]
        collector.feed(whole[at : at + size])
        at += size
    assert collector.movies == [body for name, body, _ in atoms if name == b"moov" and body]


def test_an_atom_to_the_end_and_one_that_cannot_be() -> None:
    for header in (b"\0\0\0\0mdat", b"\0\0\0\4mdat"):
        collector = MovieCollector()
        collector.feed(header + b"\0\0\0\x0cmoovbody")
        assert collector.movies == []
