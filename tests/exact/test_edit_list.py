"""Edit lists: what a phone's trimming has cut away stays away, and is not taken for damage."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from blurscene_stream.errors import CorruptInputError
from tests.exact.clips import AudioSpec, Clip, make_clip
from tests.exact.media_properties import media_properties
from tests.mp4_atoms import atom, atoms
from tests.pipeline.runs import anonymize, fails

Edits = dict[bytes, list[tuple[float, float]]]
WAIT = -1.0
CLIP = Clip(tuple(range(50)), audio=(AudioSpec(end_s=2.0),), options={"bf": "2", "b-adapt": "0", "g": "10"})
DELAY_S = 0.08  # of the B-frames: media time of the first picture


def edited(path: Path, edits: Edits) -> Path:
    """Write the edit lists of the video (vide) and the audio (soun): length and start of each part, in seconds."""
    made = [
        atom(b"moov", *_edited(content, edits)) if name == b"moov" else atom(name, content)
        for name, content in atoms(path.read_bytes())
    ]
    path.write_bytes(b"".join(made))
    return path


def _edited(movie: bytes, edits: Edits) -> list[bytes]:
    header = dict(atoms(movie))[b"mvhd"]
    ticks = struct.unpack_from(">I", header, 12)[0]  # of a second: FFmpeg 8 writes 1000, FFmpeg 9 writes 48000
    return [_track(body, edits, ticks) if name == b"trak" else atom(name, body) for name, body in atoms(movie)]


def _track(body: bytes, edits: Edits, movie_ticks: int) -> bytes:
    parts = [(name, inside) for name, inside in atoms(body) if name != b"edts"]
    media = dict(atoms(dict(parts)[b"mdia"]))
    ticks = struct.unpack_from(">I", media[b"mdhd"], 12)[0]
    lines = [
        struct.pack(">Iihh", round(length * movie_ticks), -1 if start == WAIT else round(start * ticks), 1, 0)
        for length, start in edits[media[b"hdlr"][8:12]]
    ]
    listed = atom(b"edts", atom(b"elst", struct.pack(">II", 0, len(lines)), *lines))
    return atom(b"trak", *(atom(name, inside) + (listed if name == b"tkhd" else b"") for name, inside in parts))


CUTS: dict[str, tuple[Edits, int]] = {  # -> the edits, and how many pictures they show
    "the start": ({b"vide": [(1.0, 1.0 + DELAY_S)], b"soun": [(1.0, 1.0)]}, 25),
    "the end": ({b"vide": [(1.0, DELAY_S)], b"soun": [(1.0, 0.0)]}, 25),
    "the middle": ({b"vide": [(0.4, DELAY_S), (0.6, 1.0 + DELAY_S)], b"soun": [(0.4, 0.0), (0.6, 1.0)]}, 25),
    "the end, after a wait": ({b"vide": [(0.5, WAIT), (1.0, DELAY_S)], b"soun": [(0.25, WAIT), (1.0, 0.0)]}, 25),
    "all but a part that is repeated": ({b"vide": [(0.4, DELAY_S)] * 2, b"soun": [(0.4, 0.0)] * 2}, 20),
    "the audio's start alone": ({b"vide": [(2.0, DELAY_S)], b"soun": [(1.0, 1.0)]}, 50),
    "the pictures' start alone": ({b"vide": [(1.0, 1.0 + DELAY_S)], b"soun": [(2.0, 0.0)]}, 25),
}


@pytest.mark.parametrize("target", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("what", CUTS)
def test_what_is_cut_away_stays_away(what: str, target: str, tmp_path: Path) -> None:
    edits, shown = CUTS[what]
    source = edited(make_clip(tmp_path / "in.mp4", CLIP), edits)
    after = tmp_path / f"out.{target}"
    assert anonymize(source, after).frames == shown
    was, became = media_properties(source), media_properties(after)
    moved = [new - old for new, old in zip(became.frame_times, was.frame_times, strict=True)]
    assert max(moved) - min(moved) <= Fraction(1, 1000)
    assert abs(became.audio_ends[0] - was.audio_ends[0] - moved[0]) <= Fraction(1, 500), (
        "audio and video do not move together"
    )
    heard = [payload for payload, hidden in was.audio[0] if not hidden]
    new = [payload for payload, _ in became.audio[0]]
    assert new[-len(heard) :] == heard
    assert len(new) - len(heard) <= 1, "more than the run-up of the decoder has come back"


def test_pictures_that_no_edit_list_has_cut_away_are_missed(tmp_path: Path) -> None:
    """The same file without its list, and with an index of half of the pictures."""
    source = make_clip(tmp_path / "in.mp4", Clip(tuple(range(50)), audio=()))
    whole = source.read_bytes()
    place = whole.index(b"stts") + 8  # its first line: how many samples, of which length
    count = struct.unpack_from(">I", whole, place + 4)[0]
    assert count == 50
    chunks = whole.index(b"stsc")
    lines, first, samples = struct.unpack_from(">III", whole, chunks + 8)
    assert (lines, first) == (1, 1)
    source.write_bytes(whole[: chunks + 16] + struct.pack(">I", samples // 2) + whole[chunks + 20 :])
    (tmp_path / "out").mkdir()
    assert "frames could be decoded" in fails(CorruptInputError, source, tmp_path / "out" / "out.mp4")
