"""What in a finished file is not of our muxers: tags, boxes and user data that other programs leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.frames import Frame
from blurscene_stream.source.boxes import FORMS, track_formats
from blurscene_stream.source.file import open_file
from blurscene_stream.source.kinds import Kind, kind_of
from blurscene_stream.source.mp4 import Boxes, boxes_in, movie_of, top_boxes
from blurscene_stream.source.services import foreign_names
from blurscene_stream.source.sidedata import SideDataReader
from blurscene_stream.source.tags import LANGUAGE, is_of_the_format

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
OWN_BOXES = {  # ISO/IEC 14496-12, QuickTime's for tracks of text and timecodes, and those of tags that libav reads back
    *(b"ftyp", b"free", b"wide", b"mdat", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"tref", b"mdia"),
    *(b"mdhd", b"hdlr", b"minf", b"vmhd", b"smhd", b"nmhd", b"sthd", b"gmhd", b"dinf", b"dref", b"stbl", b"stsd"),
    *(
        b"stts",
        b"stss",
        b"ctts",
        b"cslg",
        b"stsc",
        b"stsz",
        b"stco",
        b"co64",
        b"sgpd",
        b"sbgp",
        b"sdtp",
        b"udta",
        b"meta",
    ),
    *(b"ilst", b"keys", b"chpl", b"name", b"loci", b"aART", b"cprt", b"desc"),
    *(b"\xa9" + rest for rest in (b"nam", b"ART", b"wrt", b"alb", b"day", b"cmt", b"gen", b"cpy", b"des", b"xyz")),
    *(b"\xa9too", b"\xa9swr"),
}
PARENTS = {  # and how many bytes stand before the first box in them
    **dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta", b"ilst"), 0),
    b"meta": 4,
}
EMPTY = (b"free", b"wide")
UUID_BYTES = 16
OWN_USER_DATA = {  # x264's, x265's and VAAPI's, which name themselves and their settings, behind the UUID of each
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"): b"x264 - core ",
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"): b"x265 (build ",
    bytes.fromhex("59948b2811ec45af967519d41feaa94d"): b"Lavc",
}
IN_PICTURES = {"A53_CC": "captions", "S12M_TIMECODE": "timecodes"}


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a file holds that its source does not tell.

    videos:  the numbers of the streams that are videos
    foreign: what no muxer of ours writes, in words, without any text of the file's
    """

    videos: tuple[int, ...]
    foreign: tuple[str, ...]


def holdings(path: Path, named: Sequence[str]) -> Holdings:
    """Look at a finished file.

    named: the tags that were to be kept
    Raises what opening it does: SourceError, CorruptInputError.
    """
    with open_file(path) as container:
        form = container.format.name
        formats = track_formats(path, form)
        videos = [stream.index for stream in container.streams if kind_of(stream, container, formats) is Kind.video]
        return Holdings(tuple(videos), (*_foreign_tags(container, named), *dict.fromkeys(_foreign_parts(path, form))))


def _foreign_tags(container: InputContainer, named: Sequence[str]) -> Iterator[str]:
    kept = {key.casefold() for key in named}
    owners = [("", container.metadata)] + [(f" of stream {one.index}", one.metadata) for one in container.streams]
    for owner, tags in owners:
        for key, value in tags.items():
            own = OWN_TAGS.get(key.casefold(), "(?!)")
            if key.casefold() not in kept and is_of_the_format(key) and not re.fullmatch(own, value):
                yield f"the tag {key.casefold()}{owner}, which another program wrote"


def _foreign_parts(path: Path, form: str) -> Iterator[str]:
    """What libav does not tell of a container. `form`: its name of it."""
    try:
        if form == "mpegts" and foreign_names(path):
            yield "names of the service or of who sends it"
        if set(FORMS) & set(form.split(",")):
            for name, body in top_boxes(path):
                yield from _foreign_box(name, body, "")
            yield from _foreign_in(movie_of(path), "moov/")
    except OSError:
        yield "what cannot be read"


def _foreign_in(boxes: Boxes, where: str) -> Iterator[str]:
    for name, bodies in boxes.items():
        for body in bodies:
            yield from _foreign_box(name, body, where)
            if name in PARENTS:
                yield from _foreign_in(boxes_in(body[PARENTS[name] :]), f"{where}{name.decode()}/")


def _foreign_box(name: bytes, body: bytes, where: str) -> Iterator[str]:
    if where.endswith("/ilst/") and name.startswith(b"\0"):
        return  # the number of one of `keys`, of which libav makes a tag
    if name not in OWN_BOXES:
        word = name.decode("latin-1")
        yield f"a box that another program wrote, {where}{word if word.isprintable() else '?'}"
    elif name in EMPTY and body.strip(b"\0"):
        yield f"something in an empty box, {where}{name.decode()}"


class PictureNotes:
    """Tells what is written beside the samples of pictures, and is not the encoder's own."""

    def __init__(self) -> None:
        self._read = SideDataReader()

    def __call__(self, frame: Frame) -> Iterator[str]:
        """In words."""
        for name, data in self._read.pairs(frame.native):
            if name in IN_PICTURES:
                yield IN_PICTURES[name]
            elif name == "SEI_UNREGISTERED":
                own = OWN_USER_DATA.get(data[:UUID_BYTES])
                if own is None or not data[UUID_BYTES:].startswith(own):
                    yield "user data"
