"""Completeness of a file: bytes that its structure promises, packets that its index promises.

libav plays a Matroska, MPEG-TS or AVI file that was cut short to its new end without an error.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from av.video.stream import VideoStream

from blurscene_stream.source.container.ebml import EBML_HEADER, MATROSKA_SEGMENT, ebml_number
from blurscene_stream.source.container.mp4_atoms import atom_spans, edit_list_shortens
from blurscene_stream.source.container.mpegts import SYNC_BYTES, packet_bytes


def missing_bytes(file: BinaryIO, container_format: str, size: int | None = None) -> int:
    """Count the bytes that `file` lacks by its own structure, before a frame is decoded; 0 when complete or unknown.

    container_format: libav's name, such as "mov,mp4,m4a,3gp,3g2,mj2"
    size:             of the whole, where `file` is only its beginning: enough for the formats of SIZE_IN_HEAD
    Raises OSError when the file cannot be read.
    """
    names = container_format.split(",")
    promised = next((read for name, read in _PROMISED_SIZE.items() if name in names), None)
    if promised is None:
        return 0
    size = os.fstat(file.fileno()).st_size if size is None else size
    file.seek(0)
    return max(0, promised(file, size) - size)


def promised_packets(video: VideoStream, path: Path) -> int:
    """Return how many video packets an MP4 declares and its edit list shows; 0 when it declares none.

    libav's index of a track with an edit list has only what that needs: the packets of the rest are no loss.
    """
    indexed = len(video.index_entries)
    if not 0 < indexed < video.frames:
        return video.frames
    try:
        return indexed if edit_list_shortens(path, video.id) else video.frames
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # no such edit list: what is missing is missing
        return video.frames


def _mp4_size(file: BinaryIO, size: int) -> int:
    """Return where the last top-level atom ends; the size where padding follows it."""
    end = 0
    for _, start, length in atom_spans(file, size):
        end = start + length
    return size if size - end >= 8 else end


def _riff_size(file: BinaryIO, size: int) -> int:
    """Return where the last RIFF chunk ends; an AVI over 1 GB has several."""
    end = 0
    while size - end >= 8:
        file.seek(end)
        header = file.read(8)
        if header[:4] != b"RIFF":
            return size
        length = int.from_bytes(header[4:], "little")
        end += 8 + length
    return end


def _ts_size(file: BinaryIO, size: int) -> int:
    """Return the size rounded up to whole packets."""
    packet = packet_bytes(file.read(SYNC_BYTES))
    return size if packet is None else -(-size // packet) * packet


def _matroska_size(file: BinaryIO, size: int) -> int:
    """Return where the segment ends; a segment of unknown size, as live recorders write it, ends anywhere."""
    if ebml_number(file, keep_marker=True) != EBML_HEADER:
        return size
    file.seek(ebml_number(file) or 0, 1)
    if ebml_number(file, keep_marker=True) != MATROSKA_SEGMENT:
        return size
    length = ebml_number(file)
    return size if length is None else file.tell() + length


SIZE_IN_HEAD = ("matroska", "avi", "mpegts")
_PROMISED_SIZE: dict[str, Callable[[BinaryIO, int], int]] = {
    "mp4": _mp4_size,
    "matroska": _matroska_size,
    "avi": _riff_size,
    "mpegts": _ts_size,
}
