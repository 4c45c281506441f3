"""Audio headers (extradata) without comments, and without what may follow them."""

from __future__ import annotations

import struct
from collections.abc import Callable

from blurscene_stream.source.bit_reader import BitReader

OPUS_HEAD_BYTES = 19  # RFC 7845, 5.1; then a byte for the streams, one for the coupled ones, one per channel
OPUS_FAMILY_OFFSET, OPUS_CHANNELS_OFFSET = 18, 9
STREAMINFO_BYTES = 34  # RFC 9639, 8.2

# ISO/IEC 14496-3: AudioSpecificConfig is 1.6.2.1, GASpecificConfig 4.4.1, program_config_element 4.4.1.1
LC = 2
GA_OBJECT_TYPES = (1, LC, 3, 4)  # Main, LC, SSR, LTP
SBR, PS = 5, 29
ESCAPE = 31
EXPLICIT_RATE = 15
SYNC_SBR, SYNC_PS = 0x2B7, 0x548
COUNT_BITS = (4, 4, 4, 2, 3, 4)  # of front, side, back, LFE, associated data and coupling channel elements
ELEMENT_BITS = (5, 5, 5, 4, 4, 5)  # of each such element


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


def _aac(header: bytes) -> bytes:
    """Return the AudioSpecificConfig with an empty comment, cut where it ends.

    Headers of error-resilient and later object types have no place for a comment, and pass as they are.
    Raises IndexError when it is too short.
    """
    bits = BitReader(header)
    object_type = _object_type(bits)
    _skip_rate(bits)
    channels = bits.take(4)
    if object_type in (SBR, PS):
        _skip_rate(bits)
        object_type = _object_type(bits)
    if object_type not in GA_OBJECT_TYPES:
        return header
    bits.take(1)
    if bits.take(1):  # it depends on a core coder, with a delay
        bits.take(14)
    bits.take(1)
    if channels == 0:
        skip_channel_layout(bits)
        at = bits.position // 8
        header = header[:at] + b"\0" + header[at + 1 + header[at] :]
        bits = BitReader(header)
        bits.take(8 * (at + 1))
    _skip_extension(bits)
    return header[: (bits.position + 7) // 8]


def core_rate_index(header: bytes) -> int | None:
    """Return the index of the core's sampling rate; None for all but AAC LC, be it the core of HE-AAC, of 1024 samples.

    Raises IndexError when the header is too short.
    """
    bits = BitReader(header)
    object_type = _object_type(bits)
    rate = bits.take(4)
    if rate == EXPLICIT_RATE:
        return None
    bits.take(4)
    if object_type in (SBR, PS):
        _skip_rate(bits)
        object_type = _object_type(bits)
    is_short_frame = bits.take(1)
    return None if object_type != LC or is_short_frame else rate


def _object_type(bits: BitReader) -> int:
    object_type = bits.take(5)
    return 32 + bits.take(6) if object_type == ESCAPE else object_type


def _skip_rate(bits: BitReader) -> None:
    if bits.take(4) == EXPLICIT_RATE:
        bits.take(24)


def skip_channel_layout(bits: BitReader) -> None:
    """Skip a program_config_element up to the number of bytes of its comment."""
    bits.take(10)
    counts = [bits.take(width) for width in COUNT_BITS]
    for width in (4, 4, 3):  # mixdowns
        if bits.take(1):
            bits.take(width)
    for count, width in zip(counts, ELEMENT_BITS, strict=True):
        bits.take(count * width)
    bits.align()


def _skip_extension(bits: BitReader) -> None:
    """Skip the backward compatible signalling of SBR and PS (1.6.5)."""
    if bits.take_if(SYNC_SBR, 11) and _object_type(bits) == SBR and bits.take(1):
        _skip_rate(bits)
        if bits.take_if(SYNC_PS, 11):
            bits.take(1)


SCRUBBERS: dict[str, Callable[[bytes], bytes]] = {
    "aac": _aac,
    "aac_fixed": _aac,
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
