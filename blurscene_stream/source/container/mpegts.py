"""MPEG transport streams (ISO/IEC 13818-1): packet sync, and the network that a service description table names."""

from __future__ import annotations

SYNC_BYTE, PACKET_BYTES = 0x47, 188
M2TS_PACKET_BYTES = 192  # BDAV: a 4-byte time code before each packet
SYNC_PACKETS = 3  # in step, and it is no chance
SYNC_BYTES = SYNC_PACKETS * M2TS_PACKET_BYTES
HEADER_BYTES, UNIT_START = 4, 0x40
SDT_PID = 0x11  # service description table, ETSI EN 300 468, 5.1.3
SDT_AT, SDT_ID = HEADER_BYTES + 1, b"\0\x42"  # pointer_field and table_id


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
