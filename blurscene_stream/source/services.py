"""The names that an MPEG transport stream gives to its service and its sender (ETSI EN 300 468, 5.2.3 and 6.2.33)."""

from __future__ import annotations

from pathlib import Path

SYNC, PACKET_BYTES, DISC_BYTES = 0x47, 188, 192  # discs put four bytes of time before each packet
LOOKED_AT_BYTES = 1 << 20  # the table comes several times a second
PID, STARTS, HEADER_BYTES = 0x11, 0x40, 4
OWN_NAMES, OWN_LENGTH = b"\x48\x12\x01\x06FFmpeg\x09Service01", 37  # of libav, when nobody names a service


def foreign_names(path: Path) -> bool:
    """Whether a transport stream has other names than those that libav gives to all.

    Raises OSError when it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(LOOKED_AT_BYTES)
    step = PACKET_BYTES if data[PACKET_BYTES : PACKET_BYTES + 1] == bytes([SYNC]) else DISC_BYTES
    packets = (data[at : at + PACKET_BYTES] for at in range(step - PACKET_BYTES, len(data), step))
    return any(_is_table(packet) and not _is_own(packet[HEADER_BYTES:]) for packet in packets)


def _is_table(packet: bytes) -> bool:
    """Whether a packet begins the table of services."""
    if len(packet) < PACKET_BYTES or packet[0] != SYNC or not packet[1] & STARTS:
        return False
    return (packet[1] & 0x1F) << 8 | packet[2] == PID


def _is_own(payload: bytes) -> bool:
    """`payload`: where the table begins, counted from the next byte on, and the table."""
    table = payload[1 + payload[0] :]
    return len(table) > 2 and (table[1] & 0x0F) << 8 | table[2] == OWN_LENGTH and OWN_NAMES in table
