"""Audio headers (extradata) without comments."""

from __future__ import annotations

import struct
from collections.abc import Callable

from blurscene_stream.source.scrub.aac_config import without_comment

OPUS_HEAD_BYTES = 19  # RFC 7845, 5.1; then a byte for the streams, one for the coupled ones, one per channel
OPUS_FAMILY_OFFSET, OPUS_CHANNELS_OFFSET = 18, 9
STREAMINFO_BYTES = 34  # RFC 9639, 8.2


def scrub_extradata(codec: str, header: bytes | None) -> bytes | None:
    """Return the extradata of an audio stream with nothing in it but what decoding needs.

    codec: ffmpeg's name
    None for codecs that need none. Headers of codecs that are not known here pass as they are.
    Raises ValueError when the header is not of that codec.
    """
    if not header or codec in SELF_CONTAINED or codec.startswith("pcm_"):
        return None
    scrub = SCRUBBERS.get(codec)
    try:
        return scrub(header) if scrub else header[: FIXED_BYTES.get(codec)]
    except (IndexError, struct.error) as error:
        raise ValueError("the header is too short") from error


def _opus(header: bytes) -> bytes:
    multistream = header[OPUS_FAMILY_OFFSET : OPUS_FAMILY_OFFSET + 1] not in (b"", b"\0")
    return header[: OPUS_HEAD_BYTES + (2 + header[OPUS_CHANNELS_OFFSET] if multistream else 0)]


def _flac(header: bytes) -> bytes:
    """Return STREAMINFO alone; a file has its marker and a block header before it."""
    if header.startswith(b"fLaC"):
        return header[8 : 8 + STREAMINFO_BYTES]
    return header[:STREAMINFO_BYTES]


def _vorbis(header: bytes) -> bytes:
    """Replace the second of three packets, laced as in Matroska or each with its length, by an empty comment."""
    first, _, setup = _vorbis_packets(header)
    comment = b"\x03vorbis" + struct.pack("<II", 0, 0) + b"\x01"  # no vendor, no comments, the framing bit
    sizes = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in (first, comment))
    return b"\x02" + sizes + first + comment + setup


def _vorbis_packets(header: bytes) -> tuple[bytes, bytes, bytes]:
    """Split the header of Vorbis.

    Raises ValueError when these are not three packets.
    """
    if header[:2] == b"\0\x1e":  # lengths of 16 bits; the first packet always has 30 bytes
        packets, rest = [], header
        while rest:
            length = int.from_bytes(rest[:2], "big")
            packets.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
    else:
        sizes, place = [], 1
        for _ in range(header[0]):
            size = 0
            while header[place] == 255:
                size, place = size + 255, place + 1
            sizes.append(size + header[place])
            place += 1
        middle = place + sizes[0]
        packets = [header[place:middle], header[middle : middle + sizes[1]], header[middle + sizes[1] :]]
    first, comment, setup = packets
    if not (first.startswith(b"\x01vorbis") and comment.startswith(b"\x03vorbis") and setup.startswith(b"\x05vorbis")):
        raise ValueError("not the three packets of Vorbis")
    return first, comment, setup


SCRUBBERS: dict[str, Callable[[bytes], bytes]] = {
    "aac": without_comment,
    "aac_fixed": without_comment,
    "opus": _opus,
    "libopus": _opus,
    "flac": _flac,
    "vorbis": _vorbis,
    "libvorbis": _vorbis,
}
# The magic cookie of ALAC with the header of its atom; TTA's and WavPack's; what WAVEFORMATEX has for the others.
FIXED_BYTES = {"alac": 36, "tta": 22, "wavpack": 2, "adpcm_ms": 32, "adpcm_ima_wav": 2, "wmav1": 4, "wmav2": 10}
SELF_CONTAINED = {"mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "ac3", "ac3_fixed", "eac3"}
"""Codecs whose packets hold all that decoding needs."""
