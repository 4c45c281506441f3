"""Decoding of single packets of a video, by libav, to see what of them a decoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

OPTIONS = {"flags": "+output_corrupt", "flags2": "+showall", "skip_loop_filter": "all", "apply_cropping": "0"}
"""A picture comes out even where those are missing that it refers to, and with what fills its last blocks."""
STRICT = {"err_detect": "explode"}  # an error is raised and not concealed


@dataclass(frozen=True, slots=True)
class Coding:
    """What a decoder must know of a video before its packets.

    codec:  FFmpeg's name
    header: that of the container ("extradata"), or b""
    size:   width and height, for a codec that does not say them
    """

    codec: str
    header: bytes = b""
    size: tuple[int, int] = (0, 0)


def decodes_alike(coding: Coding, one: Sequence[bytes], other: Sequence[bytes], strict: bool = False) -> bool:
    """Return whether the same comes out of both: the same pictures, sample by sample, and the same errors.

    one, other: packets in the order of decoding, for a decoder that has seen nothing before them
    strict: what is damaged is an error, and not a picture that conceals it
    """
    options = OPTIONS | (STRICT if strict else {})
    first, second = (_decoded(coding, packets, options) for packets in (one, other))
    return len(first) == len(second) and all(map(_is_same, first, second))


def _decoded(coding: Coding, packets: Sequence[bytes], options: dict[str, str]) -> list[VideoFrame | None]:
    """Return the pictures that come out, and None for each error."""
    decoder = cast(VideoCodecContext, CodecContext.create(coding.codec, "r"))
    decoder.extradata = coding.header or None
    if coding.size != (0, 0):
        decoder.width, decoder.height = coding.size
    decoder.thread_count = 1
    decoder.options = options
    found: list[VideoFrame | None] = []
    for packet in (*(Packet(data) for data in packets), None):
        try:
            found += decoder.decode(packet)
        except av.error.FFmpegError:
            found.append(None)
    return found


def _is_same(one: VideoFrame | None, other: VideoFrame | None) -> bool:
    if one is None or other is None:
        return one is other
    same_size = (one.width, one.height, one.format.name) == (other.width, other.height, other.format.name)
    return same_size and all(bytes(plane) == bytes(same) for plane, same in zip(one.planes, other.planes, strict=True))
