"""Where the time of an MPEG stream begins: its clock runs on from recording to recording, and over its end."""

from __future__ import annotations

import logging
from math import floor

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

log = logging.getLogger(__name__)

CLOCKED = ("mpegts", "mpeg")  # transport and program streams, ISO/IEC 13818-1
LATEST_START_S = 10.0  # a muxer's own delay is less
NEW_START_S = 1  # pictures that lean on later ones come before the first of the file


class Origin:
    """Moves the packets of a file to where a player starts.

    33 bits of 1/90000 s are 26.5 hours: a broadcast may begin at any of them, and libav gives times below 0 to what
    comes before the clock starts anew. An MP4 would show hours of nothing, and hide what is below 0.
    """

    def __init__(self, container: InputContainer, name: str) -> None:
        start_s = (container.start_time or 0) / av.time_base
        runs_on = container.format.name in CLOCKED and not 0 <= start_s <= LATEST_START_S
        self._back_s = floor(start_s) - NEW_START_S if runs_on else 0
        if self._back_s:
            log.info("%s: begins at %.3f s of its clock, all times are moved by %d s", name, start_s, -self._back_s)

    def __call__(self, packet: Packet[Stream]) -> Packet[Stream]:
        """The same packet, at its time from the start."""
        if self._back_s and packet.time_base:
            back = round(self._back_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - back
            packet.dts = None if packet.dts is None else packet.dts - back
        return packet
