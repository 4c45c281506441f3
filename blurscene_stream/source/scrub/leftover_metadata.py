"""Metadata in an output file that our muxers and encoders did not write: tags, MP4 atoms, service names, SEI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.frames import Frame
from blurscene_stream.source.container.mp4_atoms import (
    Atoms,
    child_atoms,
    is_mp4,
    movie_atoms,
    sample_formats,
    top_level_atoms,
)
from blurscene_stream.source.container.mpegts import has_foreign_service_names
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.source.container.stream_types import InputStreamType, stream_type
from blurscene_stream.source.frames.side_data import SideDataReader
from blurscene_stream.source.scrub.metadata_tags import LANGUAGE, is_format_tag

OWN_TAGS = {  # what our muxers say of the format; anything else under these keys may be a name
    "major_brand": "isom|qt  |M4V ",
    "minor_version": "[0-9]{1,6}",
    "compatible_brands": "(isom|iso[2-9]|avc1|hvc1|av01|mp4[12]|dby1|qt  |M4V )+",
    "encoder": "Lav[cf][0-9.]*( (lib)?[a-z0-9]+(_[a-z0-9]+)*)?",
    "handler_name": "(Video|Sound|Subtitle|Data|TimeCode)Handler|GoPro MET",
    "vendor_id": re.escape("[0][0][0][0]") + "|FFMP",
    "language": LANGUAGE.pattern,
    "duration": "[0-9:.]{1,18}",
}
OWN_ATOMS = {  # ISO/IEC 14496-12, QuickTime's for tracks of text and timecodes, and those of tags that libav reads back
    *(b"ftyp", b"free", b"wide", b"mdat", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"tref", b"mdia"),
    *(b"mdhd", b"hdlr", b"minf", b"vmhd", b"smhd", b"nmhd", b"sthd", b"gmhd", b"dinf", b"dref", b"stbl", b"stsd"),
    *(b"stts", b"stss", b"ctts", b"cslg", b"stsc", b"stsz", b"stco", b"co64", b"sgpd", b"sbgp", b"sdtp"),
    *(b"udta", b"meta", b"ilst", b"keys", b"chpl", b"name", b"loci", b"aART", b"cprt", b"desc"),
    *(b"\xa9" + rest for rest in (b"nam", b"ART", b"wrt", b"alb", b"day", b"cmt", b"gen", b"cpy", b"des", b"xyz")),
    *(b"\xa9too", b"\xa9swr"),
}
PARENT_ATOMS = {  # and how many bytes stand before the first atom in them
    **dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta", b"ilst"), 0),
    b"meta": 4,
}
PADDING_ATOMS = (b"free", b"wide")
UUID_BYTES = 16
OWN_USER_DATA = {  # SEI of x264, x265 and VAAPI, which name themselves and their settings, after the UUID of each
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"): b"x264 - core ",
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"): b"x265 (build ",
    bytes.fromhex("59948b2811ec45af967519d41feaa94d"): b"Lavc",
}
FOREIGN_SIDE_DATA = {"A53_CC": "captions", "S12M_TIMECODE": "timecodes"}


@dataclass(frozen=True, slots=True)
class ForeignMetadata:
    """Contents of a file that a run does not write.

    videos:   the indexes of the streams that are videos
    metadata: what our muxers do not write, described without any text of the file's
    """

    videos: tuple[int, ...]
    metadata: tuple[str, ...]


def find_foreign_metadata(path: Path, named: Sequence[str]) -> ForeignMetadata:
    """Search a finished file.

    named: keys of the tags that were to be kept
    Raises what opening it does: SourceError, CorruptInputError.
    """
    with open_file(path) as container:
        container_format = container.format.name
        formats = sample_formats(path, container_format)
        types = {stream.index: stream_type(stream, container, formats) for stream in container.streams}
        videos = tuple(index for index, kind in types.items() if kind is InputStreamType.video)
        structures = dict.fromkeys(_foreign_structures(path, container_format))
        return ForeignMetadata(videos, (*_foreign_tags(container, named), *structures))


def _foreign_tags(container: InputContainer, named: Sequence[str]) -> Iterator[str]:
    kept = {key.casefold() for key in named}
    owners = [("", container.metadata)] + [(f" of stream {one.index}", one.metadata) for one in container.streams]
    for owner, tags in owners:
        for key, value in tags.items():
            own = OWN_TAGS.get(key.casefold(), "(?!)")
            if key.casefold() not in kept and is_format_tag(key) and not re.fullmatch(own, value):
                yield f"the tag {key.casefold()}{owner}, which another program wrote"


def _foreign_structures(path: Path, container_format: str) -> Iterator[str]:
    """Describe what libav does not expose of a container."""
    try:
        if container_format == "mpegts" and has_foreign_service_names(path):
            yield "names of the service or of who sends it"
        if is_mp4(container_format):
            for name, body in top_level_atoms(path):
                yield from _foreign_atom(name, body, "")
            yield from _foreign_children(movie_atoms(path), "moov/")
    except OSError:
        yield "what cannot be read"


def _foreign_children(atoms: Atoms, parent: str) -> Iterator[str]:
    for name, bodies in atoms.items():
        for body in bodies:
            yield from _foreign_atom(name, body, parent)
            if name in PARENT_ATOMS:
                yield from _foreign_children(child_atoms(body[PARENT_ATOMS[name] :]), f"{parent}{name.decode()}/")


def _foreign_atom(name: bytes, body: bytes, parent: str) -> Iterator[str]:
    if parent.endswith("/ilst/") and name.startswith(b"\0"):
        return  # the number of one of `keys`, of which libav makes a tag
    if name not in OWN_ATOMS:
        word = name.decode("latin-1")
        yield f"an atom that another program wrote, {parent}{word if word.isprintable() else '?'}"
    elif name in PADDING_ATOMS and body.strip(b"\0"):
        yield f"something in an empty atom, {parent}{name.decode()}"


class LeftoverSideData:
    """Finds side data of frames (SEI) that the encoder does not write itself: captions, timecodes, user data."""

    def __init__(self) -> None:
        self._read = SideDataReader()

    def __call__(self, frame: Frame) -> Iterator[str]:
        """Describe what is beside the samples of a frame."""
        for name, data in self._read.pairs(frame.native):
            if name in FOREIGN_SIDE_DATA:
                yield FOREIGN_SIDE_DATA[name]
            elif name == "SEI_UNREGISTERED":
                own = OWN_USER_DATA.get(data[:UUID_BYTES])
                if own is None or not data[UUID_BYTES:].startswith(own):
                    yield "user data"
