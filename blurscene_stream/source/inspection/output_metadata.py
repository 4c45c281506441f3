"""Metadata of outputs: what our muxers write and leave out about themselves, and anything else, which is left over.

libav names itself with its version in every file unless it is to be bit-exact, as ours are (sink.passthrough). A
transport stream has no such place: there it is the network that the file sink names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.errors import SourceError
from blurscene_stream.frames import Frame
from blurscene_stream.source.container.mp4_atoms import is_mp4, sample_formats
from blurscene_stream.source.container.mpegts import PACKET_BYTES, original_network_id
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.source.container.stream_types import InputStreamType, stream_type
from blurscene_stream.source.frames.frame_properties import SideDataReader
from blurscene_stream.source.scrub.metadata_tags import LANGUAGE, is_format_tag
from blurscene_stream.streams import OWN_NETWORK_ID

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
FOREIGN_SIDE_DATA = {"A53_CC": "captions", "S12M_TIMECODE": "timecodes"}

BIT_EXACT_MATROSKA = "Lavf"  # with its version where it is not to be bit-exact
LIBAV_MP4_VERSION = "512"  # minor_version of ftyp, libavformat/movenc.c
MP4_SIGNATURES = ("encoder", "creation_time")  # of libav that is not bit-exact, and of cameras that use libav


def is_own_output(path: Path) -> bool:
    """Return whether this program has written a video; False when nobody can tell, and for what is no whole video."""
    try:
        with open_file(path) as container:
            return _is_own(path, container)
    except (SourceError, OSError):
        return False


def _is_own(path: Path, container: InputContainer) -> bool:
    names = container.format.name.split(",")
    tags: Mapping[str, str] = {key.casefold(): value for key, value in container.metadata.items()}
    if is_mp4(container.format.name):
        return tags.get("minor_version") == LIBAV_MP4_VERSION and not any(key in tags for key in MP4_SIGNATURES)
    if "matroska" in names:
        return tags.get("encoder") == BIT_EXACT_MATROSKA
    with path.open("rb") as file:
        return "mpegts" in names and original_network_id(file.read(PACKET_BYTES)) == OWN_NETWORK_ID


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
        formats = sample_formats(path, container.format.name)
        types = {stream.index: stream_type(stream, container, formats) for stream in container.streams}
        videos = tuple(index for index, input_type in types.items() if input_type is InputStreamType.video)
        return ForeignMetadata(videos, tuple(_foreign_tags(container, named)))


def _foreign_tags(container: InputContainer, named: Sequence[str]) -> Iterator[str]:
    kept = {key.casefold() for key in named}
    owners = [("", container.metadata)] + [(f" of stream {one.index}", one.metadata) for one in container.streams]
    for owner, tags in owners:
        for key, value in tags.items():
            own = OWN_TAGS.get(key.casefold(), "(?!)")
            if key.casefold() not in kept and is_format_tag(key) and not re.fullmatch(own, value):
                yield f"the tag {key.casefold()}{owner}, which another program wrote"


def texts_read(path: Path) -> frozenset[str]:
    """Return all texts that libav reads of a file: keys and values of its tags, titles of chapters, names of files.

    Of two texts for one tag it keeps one. Empty when the file cannot be opened.
    """
    try:
        with open_file(path) as container:
            owners = (container, *container.streams)
            tags = [owner.metadata for owner in owners] + [chapter["metadata"] for chapter in container.chapters()]
            return frozenset(text for some in tags for pair in some.items() for text in pair)
    except (SourceError, OSError):
        return frozenset()


class LeftoverSideData:
    """Finds side data of frames (SEI) that the encoder does not write itself: captions and timecodes."""

    def __init__(self) -> None:
        self._read = SideDataReader()

    def __call__(self, frame: Frame) -> Iterator[str]:
        """Describe what is beside the samples of a frame."""
        names = (name for name, _ in self._read.pairs(frame.native))
        yield from (FOREIGN_SIDE_DATA[name] for name in names if name in FOREIGN_SIDE_DATA)
