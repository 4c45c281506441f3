"""Is a file cut short? Its own structure tells, before the first frame is decoded.

libav plays a Matroska, MPEG-TS or AVI file that was cut short to its new end without an error.
"""

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

TS_PACKET_BYTES = 188  # ISO/IEC 13818-1
M2TS_PACKET_BYTES = 192  # the same with a 4-byte time code in front, BDAV
EBML_HEADER, MATROSKA_SEGMENT = 0x1A45DFA3, 0x18538067  # RFC 8794, RFC 9559


def missing_bytes(file: BinaryIO, container: str, size: int | None = None) -> int:
    """How many bytes `file` lacks, as far as its structure tells; 0 when it is whole or nobody can tell.

    container: libav's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2"
    size:      of the whole, where `file` is only its beginning: enough for the formats of TOLD_BY_HEAD
    Raises OSError when the file cannot be read.
    """
    promised = next((read for name, read in _PROMISED_SIZE.items() if name in container.split(",")), None)
    if promised is None:
        return 0
    size = os.fstat(file.fileno()).st_size if size is None else size
    file.seek(0)
    return max(0, promised(file, size) - size)


def _mp4_size(file: BinaryIO, size: int) -> int:
    """Where the last of the top-level boxes ends (ISO/IEC 14496-12, 4.2)."""
    end = 0
    while size - end >= 8:
        file.seek(end)
        length, _ = struct.unpack(">I4s", file.read(8))
        if length == 0:  # to the end of the file
            return size
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length < 8:  # no box: padding after the last one
            return size
        end += length
    return end


def _riff_size(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk ends; an AVI over 1 GB has several."""
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
    """The size rounded up to whole packets."""
    packet = TS_PACKET_BYTES if file.read(1) == b"\x47" else M2TS_PACKET_BYTES
    file.seek(0 if packet == TS_PACKET_BYTES else 4)
    synced = all(file.read(1) == b"\x47" and file.seek(packet - 1, 1) for _ in range(min(3, size // packet)))
    return -(-size // packet) * packet if synced else size


def _matroska_size(file: BinaryIO, size: int) -> int:
    """Where the segment ends; a segment of unknown size, as live recorders write it, ends anywhere."""
    if _ebml_number(file, keep_marker=True) != EBML_HEADER:
        return size
    file.seek(_ebml_number(file) or 0, 1)
    if _ebml_number(file, keep_marker=True) != MATROSKA_SEGMENT:
        return size
    length = _ebml_number(file)
    return size if length is None else file.tell() + length


def _ebml_number(file: BinaryIO, keep_marker: bool = False) -> int | None:
    """One variable-size integer; None when it says "unknown" or the file ends."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    width = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(width - 1), "big")
    if keep_marker:
        return number
    number &= (1 << 7 * width) - 1
    return None if number == (1 << 7 * width) - 1 else number


TOLD_BY_HEAD = ("matroska", "avi", "mpegts")
_PROMISED_SIZE: dict[str, Callable[[BinaryIO, int], int]] = {
    "mp4": _mp4_size,
    "matroska": _matroska_size,
    "avi": _riff_size,
    "mpegts": _ts_size,
}
