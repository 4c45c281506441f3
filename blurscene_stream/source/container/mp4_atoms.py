"""MP4 atoms ("boxes", ISO/IEC 14496-12): sample formats, clean aperture, edit list, metadata; PyAV exposes none."""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, TypeVar

Atoms = defaultdict[bytes, list[bytes]]
"""Bodies of the atoms inside an atom, by name."""
Found = TypeVar("Found")

CONTAINER_FORMATS = ("mp4", "mov")  # in libav's name of the container, "mov,mp4,m4a,3gp,3g2,mj2"
METADATA_ATOMS = (b"udta", b"meta", b"uuid")  # tags, and XMP among them
MAX_MOVIE_BYTES = 1 << 28  # hours of video need a few MB; more is damage, and would fill the memory
MAX_TOP_LEVEL_BYTES = 1 << 20
SAMPLE_FORMAT = slice(12, 16)  # of stsd: after version, flags, entry count and the size of the first entry (8.5.2)
VISUAL_ENTRY_HEADER_BYTES = 78  # of a visual sample entry, before its atoms (12.1.3)
EMPTY_EDIT = -1  # media time of an edit that shows nothing (8.6.6)


def is_mp4(container_format: str) -> bool:
    """Return whether libav's name of a container is that of MP4 and MOV."""
    return not set(CONTAINER_FORMATS).isdisjoint(container_format.split(","))


def atom_spans(file: BinaryIO, size: int, at: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and length of the body of each atom, up to the first one that cannot be (4.2).

    size: of the file in bytes, or the end of the atom that these are in; the last one may reach past it
    at:   offset of the first one; by default these are the top-level atoms
    """
    while size - at >= 8:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1 and size - at >= 16:
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        length = length or size - at  # 0: to the end of the file
        if length < header:
            return
        yield name, at + header, length - header
        at += length


def top_level_atoms(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and first MAX_TOP_LEVEL_BYTES of the body of each top-level atom.

    Raises OSError when the file cannot be read.
    """
    with path.open("rb") as file:
        for name, start, length in atom_spans(file, os.fstat(file.fileno()).st_size):
            file.seek(start)
            yield name, file.read(min(length, MAX_TOP_LEVEL_BYTES))


def movie_atoms(path: Path) -> Atoms:
    """Return the atoms inside moov; none where there is no moov.

    Raises OSError when the file cannot be read.
    """
    if not path.is_file():  # a pipe cannot be read twice
        return defaultdict(list)
    with path.open("rb") as file:
        for name, start, length in atom_spans(file, os.fstat(file.fileno()).st_size):
            if name == b"moov" and length <= MAX_MOVIE_BYTES:
                file.seek(start)
                return child_atoms(file.read(length))
    return defaultdict(list)


def child_atoms(data: bytes) -> Atoms:
    """Return the atoms in the body of an atom."""
    found, at = defaultdict(list), 0
    while len(data) - at >= 8:
        length, name = struct.unpack_from(">I4s", data, at)
        found[name].append(data[at + 8 : at + length])
        at += max(8, length)
    return found


def track_id(track: Atoms) -> int:
    """Return the id of a track, which libav makes the id of the stream (8.3.2).

    Raises struct.error or IndexError for a track that has none.
    """
    header = track[b"tkhd"][0]
    return int(struct.unpack_from(">I", header, 20 if header[0] else 12)[0])


def track_atoms(movie: Atoms, wanted_id: int) -> Atoms:
    """Return the atoms of the track of that id; none where there is no such track.

    Raises what `track_id` does.
    """
    for track in map(child_atoms, movie[b"trak"]):
        if track_id(track) == wanted_id:
            return track
    return defaultdict(list)


def sample_formats(path: Path, container_format: str) -> dict[int, str]:
    """Return the four-character code of the sample format of each track, such as "gpmd", by track id.

    container_format: libav's name of the container
    Empty for other containers, for pipes, and when the atoms cannot be read: it only serves messages.
    """
    return dict(_read(path, container_format, lambda: _sample_formats(movie_atoms(path))))


def _sample_formats(movie: Atoms) -> Iterator[tuple[int, str]]:
    for track in map(child_atoms, movie[b"trak"]):
        with suppress(struct.error, IndexError):  # atoms that cannot be
            table = child_atoms(child_atoms(child_atoms(track[b"mdia"][0])[b"minf"][0])[b"stbl"][0])
            yield track_id(track), table[b"stsd"][0][SAMPLE_FORMAT].decode("latin-1")


def metadata_atoms(path: Path, container_format: str) -> list[str]:
    """Return the paths of the atoms for tags and the like, such as "moov/udta"; empty as `sample_formats` is."""
    return _read(path, container_format, lambda: _metadata_atoms(path))


def _metadata_atoms(path: Path) -> Iterator[str]:
    movie = movie_atoms(path)
    in_tracks = {name for track in map(child_atoms, movie[b"trak"]) for name in track}
    top_level = {name for name, _ in top_level_atoms(path)}
    for parent, names in (("", top_level), ("moov/", set(movie)), ("moov/trak/", in_tracks)):
        yield from (parent + name.decode() for name in METADATA_ATOMS if name in names)


def _read(path: Path, container_format: str, find: Callable[[], Iterator[Found]]) -> list[Found]:
    if not is_mp4(container_format) or not path.is_file():
        return []
    try:
        return list(find())
    except OSError:
        return []


def clean_aperture(path: Path, wanted_id: int) -> tuple[float, float] | None:
    """Return the width and height that players show of the track of that id; None where no atom crops it (12.1.4).

    Raises OSError, struct.error, IndexError or ZeroDivisionError for atoms that no player could follow.
    """
    inside = track_atoms(movie_atoms(path), wanted_id)
    for name in (b"mdia", b"minf", b"stbl"):
        inside = child_atoms(b"".join(inside[name]))
    for entries in inside[b"stsd"]:
        for entry in (body for bodies in child_atoms(entries[8:]).values() for body in bodies):
            for aperture in child_atoms(entry[VISUAL_ENTRY_HEADER_BYTES:])[b"clap"]:
                width, width_divisor, height, height_divisor = struct.unpack_from(">4I", aperture)
                return width / width_divisor, height / height_divisor
    return None


def edit_list_shortens(path: Path, wanted_id: int) -> bool:
    """Return whether the edit list of the track of that id shows less than the track holds (8.6.6).

    Raises OSError, struct.error, IndexError or ZeroDivisionError for atoms that cannot be read.
    """
    movie = movie_atoms(path)
    track = track_atoms(movie, wanted_id)
    if not track[b"edts"]:
        return False
    movie_timescale, _ = _timescale_and_duration(movie[b"mvhd"][0])
    media_timescale, held = _timescale_and_duration(child_atoms(track[b"mdia"][0])[b"mdhd"][0])
    shown = sum(map(_shown_ticks, child_atoms(track[b"edts"][0])[b"elst"]))
    return Fraction(shown + 1, movie_timescale) < Fraction(held, media_timescale)


def _timescale_and_duration(header: bytes) -> tuple[int, int]:
    """Return ticks a second and the duration in ticks, of mvhd (8.2.2) or mdhd (8.4.2)."""
    return struct.unpack_from(">IQ", header, 20) if header[0] else struct.unpack_from(">II", header, 12)


def _shown_ticks(edit_list: bytes) -> int:
    """Return how much of the media an edit list shows, in ticks of the movie."""
    entry = ">Qqi" if edit_list[0] else ">Iii"
    return sum(duration for duration, start, _ in struct.iter_unpack(entry, edit_list[8:]) if start != EMPTY_EDIT)
