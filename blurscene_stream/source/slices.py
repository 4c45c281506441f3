"""Puts pictures together again whose slices came in several packets.

GStreamer's H.264 payloader (1.22, config-interval=-1) repeats the parameter sets before each slice of a key frame,
and libav takes parameter sets for the start of a picture. Decoded one by one, each part would be a torn picture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

START_CODE = b"\0\0\1"  # ISO/IEC 14496-10, annex B
SLICE, IDR_SLICE = 1, 5  # 7.4.1, table 7-1


def whole_pictures(packets: Iterable[Packet[Stream]], video: VideoStream) -> Generator[Packet[Stream]]:
    """The packets, with one packet for each H.264 picture. A key frame waits for the packet after it."""
    held: Packet[Stream] | None = None
    h264 = video.codec_context.codec.canonical_name == "h264"
    for packet in packets:
        if not h264 or packet.stream.index != video.index:
            yield packet
            continue
        if held is not None and _continues_picture(bytes(packet)):
            held = _joined(held, packet)
            continue
        if held is not None:
            yield held
        held = packet if packet.is_keyframe else None
        if held is None:
            yield packet
    if held is not None:
        yield held


def _continues_picture(data: bytes) -> bool:
    """Does the first slice begin after the first macroblock? (7.3.3: first_mb_in_slice is ue(v), 0 is one set bit)"""
    place = data.find(START_CODE)
    while 0 <= place < len(data) - 4:
        if data[place + 3] & 0x1F in (SLICE, IDR_SLICE):
            return not data[place + 4] & 0x80
        place = data.find(START_CODE, place + 3)
    return False


def _joined(first: Packet[Stream], second: Packet[Stream]) -> Packet[Stream]:
    whole: Packet[Stream] = Packet(bytes(first) + bytes(second))
    whole.stream = first.stream
    whole.time_base = first.time_base
    whole.pts, whole.dts = (second if first.pts is None else first).pts, (second if first.dts is None else first).dts
    whole.is_keyframe = True
    whole.is_corrupt = first.is_corrupt or second.is_corrupt
    return whole
