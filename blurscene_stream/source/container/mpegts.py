"""MPEG transport and program streams (ISO/IEC 13818-1): packet sync, service names, timestamp origin."""

from __future__ import annotations

import logging
from math import floor

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

log = logging.getLogger(__name__)

SYNC_BYTE, PACKET_BYTES = 0x47, 188
M2TS_PACKET_BYTES = 192  # BDAV: a 4-byte time code before each packet
SYNC_PACKETS = 3  # in step, and it is no chance
SYNC_BYTES = SYNC_PACKETS * M2TS_PACKET_BYTES
HEADER_BYTES, UNIT_START = 4, 0x40
SDT_PID = 0x11  # service description table, ETSI EN 300 468, 5.1.3
SDT_AT, SDT_ID = HEADER_BYTES + 1, b"\0\x42"  # pointer_field and table_id

CLOCKED_FORMATS = ("mpegts", "mpeg")  # libav's names of transport and program streams
MAX_START_S = 10.0  # a muxer's own delay is less
NEW_START_S = 1  # leading pictures come before the first of the file


def packet_bytes(head: bytes) -> int | None:
    """Return the packet size, 188 or 192, by the sync bytes at the beginning of a stream; None without sync.

    head: SYNC_BYTES of it, or all where there are fewer
    """
    for size in (PACKET_BYTES, M2TS_PACKET_BYTES):
        packets = max(1, min(SYNC_PACKETS, len(head) // size))
        first = size - PACKET_BYTES
        if all(head[at : at + 1] == bytes([SYNC_BYTE]) for at in range(first, first + packets * size, size)):
            return size
    return None


def original_network_id(packet: bytes) -> int | None:
    """Return the network that a service description table names (EN 300 468, 5.2.3); None for another packet.

    packet: PACKET_BYTES, in which the table begins right behind the header, as libav writes it
    """
    pid = int.from_bytes(packet[1:3], "big")
    if (
        packet[:1] != bytes([SYNC_BYTE])
        or pid != UNIT_START << 8 | SDT_PID
        or packet[HEADER_BYTES : SDT_AT + 1] != SDT_ID
    ):
        return None
    return int.from_bytes(packet[SDT_AT + 8 : SDT_AT + 10], "big")


class TimestampOrigin:
    """Moves the packets of an MPEG stream to where a player starts.

    The clock of 33 bits of 1/90000 s runs on from recording to recording and starts anew after 26.5 hours: a broadcast
    may begin anywhere, and libav gives times below 0 to what comes before the clock starts anew. An MP4 would show
    hours of nothing, and hide what is below 0.
    """

    def __init__(self, container: InputContainer, name: str) -> None:
        start_s = (container.start_time or 0) / av.time_base
        runs_on = container.format.name in CLOCKED_FORMATS and not 0 <= start_s <= MAX_START_S
        self._offset_s = floor(start_s) - NEW_START_S if runs_on else 0
        if self._offset_s:
            log.info("%s: begins at %.3f s of its clock, all times are moved by %d s", name, start_s, -self._offset_s)

    def __call__(self, packet: Packet[Stream]) -> Packet[Stream]:
        """Return the same packet, at its time from the start."""
        if self._offset_s and packet.time_base:
            offset = round(self._offset_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - offset
            packet.dts = None if packet.dts is None else packet.dts - offset
        return packet
