"""The sound passes as it is coded, without what files and programs put beside it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from av.packet import Packet
from av.stream import Stream

from blurscene_stream.source import aac

SKIPPED_SAMPLES = "skip_samples"
OF_THE_FORMAT = (SKIPPED_SAMPLES, "mpegts_stream_id")
TAGGED = ("mp1", "mp2", "mp3", "aac")
ID3V2, LAST_TAGS = b"ID3", (b"TAG", b"APETAGEX")
ID3_BYTES, ID3_FOOTER = 10, 0x10
OPUS_HEAD_BYTES = 19  # RFC 7845, 5.1; then a byte for the streams, one for the coupled ones, one a channel
OPUS_FAMILY_AT, OPUS_CHANNELS_AT = 18, 9
STREAMINFO_BYTES = 34  # RFC 9639, 8.2


def without_comments(codec: str, header: bytes | None) -> bytes | None:
    """The header of a sound track with nothing in it but what decoding needs.

    codec: ffmpeg's name
    None for codecs that need none. The headers of codecs that are not known here pass as they are.
    Raises ValueError when the header is not of that codec.
    """
    if not header or codec in SELF_CONTAINED or codec.startswith("pcm_"):
        return None
    clean = CLEANERS.get(codec)
    try:
        return clean(header) if clean else header[: FIXED_BYTES.get(codec)]
    except (IndexError, struct.error) as error:
        raise ValueError("the header is too short") from error


def without_extras(packet: Packet[Stream], codec: str) -> Packet[Stream]:
    """The packet without what a container holds beside it, but for the samples that a player leaves out.

    codec: ffmpeg's name; MP3 and AAC may also hold tags in front of the frames
    """
    extras = list(packet.iter_sidedata())
    tagged = codec.startswith(TAGGED) and bytes(packet).startswith((ID3V2, *LAST_TAGS))
    if not tagged and all(extra.data_type == SKIPPED_SAMPLES for extra in extras):
        return packet
    plain: Packet[Stream] = Packet(_without_tags(bytes(packet)) if tagged else bytes(packet))
    plain.stream, plain.time_base = packet.stream, packet.time_base
    plain.pts, plain.dts, plain.duration = packet.pts, packet.dts, packet.duration
    plain.is_keyframe = packet.is_keyframe
    for extra in extras:
        if extra.data_type == SKIPPED_SAMPLES:
            plain.set_sidedata(extra)
    return plain


def held_more(packet: Packet[Stream], plain: Packet[Stream]) -> bool:
    """Whether there was anything in or beside a packet, now `plain`, that no container writes by itself."""
    beside = any(extra.data_type not in OF_THE_FORMAT for extra in packet.iter_sidedata())
    return plain is not packet and (beside or bytes(plain) != bytes(packet))


def _without_tags(sound: bytes) -> bytes:
    """What the tags in front of it leave: ID3v2 (ID3v2.4, 3.1 and 3.4), or ID3v1 and APE, which have the packet alone.

    A frame never begins with these letters; anywhere else they may be sound.
    """
    while sound.startswith(ID3V2) and len(sound) >= ID3_BYTES:
        size = sum(part << shift for part, shift in zip(sound[6:10], (21, 14, 7, 0), strict=True))
        sound = sound[ID3_BYTES * (2 if sound[5] & ID3_FOOTER else 1) + size :]
    return b"" if sound.startswith(LAST_TAGS) else sound


def _opus(header: bytes) -> bytes:
    many = header[OPUS_FAMILY_AT : OPUS_FAMILY_AT + 1] not in (b"", b"\0")
    return header[: OPUS_HEAD_BYTES + (2 + header[OPUS_CHANNELS_AT] if many else 0)]


def _flac(header: bytes) -> bytes:
    """STREAMINFO alone, with or without the marks of a file before it."""
    if header.startswith(b"fLaC"):
        return header[8 : 8 + STREAMINFO_BYTES]
    return header[:STREAMINFO_BYTES]


def _vorbis(header: bytes) -> bytes:
    """Three packets, laced as in Matroska or each with its length; the second becomes an empty comment."""
    first, _, setup = _packets(header)
    comment = b"\x03vorbis" + struct.pack("<II", 0, 0) + b"\x01"  # no vendor, no comments, the framing bit
    sizes = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in (first, comment))
    return b"\x02" + sizes + first + comment + setup


def _packets(header: bytes) -> tuple[bytes, bytes, bytes]:
    """Raises ValueError when these are not three packets."""
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


CLEANERS: dict[str, Callable[[bytes], bytes]] = {
    "aac": aac.without_comment,
    "aac_fixed": aac.without_comment,
    "opus": _opus,
    "libopus": _opus,
    "flac": _flac,
    "vorbis": _vorbis,
    "libvorbis": _vorbis,
}
# The magic cookie of ALAC with the head of its box; TTA's and WavPack's; what WAVEFORMATEX has for the others.
FIXED_BYTES = {"alac": 36, "tta": 22, "wavpack": 2, "adpcm_ms": 32, "adpcm_ima_wav": 2, "wmav1": 4, "wmav2": 10}
SELF_CONTAINED = {"mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "ac3", "ac3_fixed", "eac3"}
"""Codecs whose packets say all."""
