"""Outputs of this program, told from originals by what its muxers write, and leave out, about themselves.

libav names itself with its version in every file unless it is to be bit-exact, as ours are (sink.passthrough). A
transport stream has no such place: there it is the network that the file sink names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.errors import SourceError
from blurscene_stream.source.container.mp4_atoms import is_mp4
from blurscene_stream.source.container.mpegts import PACKET_BYTES, original_network_id
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.streams import OWN_NETWORK_ID

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
