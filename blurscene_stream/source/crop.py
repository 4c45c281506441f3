"""A part of the picture that the container alone tells players to show: libav decodes all of it."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

from av.video.stream import VideoStream

from blurscene_stream.source.mp4 import boxes_in, movie_of, track_of

log = logging.getLogger(__name__)

ENTRY_HEADER_BYTES = 78  # of a visual sample entry, before its boxes (ISO/IEC 14496-12, 12.1.3)


def tell_of_crop(video: VideoStream, path: Path) -> None:
    """Log when an MP4 says that less than the whole picture is to be shown."""
    try:
        shown = _clean_aperture(path, video.id)
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # nothing that a player could follow
        return
    if shown is not None and shown != (video.width, video.height):
        log.warning(
            "%s: players show %gx%g of its %dx%d pixels; the output shows all of them",
            path,
            *shown,
            video.width,
            video.height,
        )


def _clean_aperture(path: Path, number: int) -> tuple[float, float] | None:
    """Width and height of what is shown of the track of that number (12.1.4)."""
    inside = track_of(movie_of(path), number)
    for name in (b"mdia", b"minf", b"stbl"):
        inside = boxes_in(b"".join(inside[name]))
    for entries in inside[b"stsd"]:
        for entry in (body for bodies in boxes_in(entries[8:]).values() for body in bodies):
            for aperture in boxes_in(entry[ENTRY_HEADER_BYTES:])[b"clap"]:
                width, per_width, height, per_height = struct.unpack_from(">4I", aperture)
                return width / per_width, height / per_height
    return None
