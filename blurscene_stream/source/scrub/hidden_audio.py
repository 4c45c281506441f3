"""Audio hidden from players by an edit list: left out of what is copied, and measured in a finished file."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.packet import Packet, PacketSideData
from av.stream import Stream

from blurscene_stream.errors import CorruptInputError, reason
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.source.frames.timestamps import known_fraction, packet_start_s
from blurscene_stream.source.scrub.audio_packets import SKIP_SAMPLES

PRIMING_S = Fraction(1, 10)  # encoder delay before the first sample: 2112 samples of AAC are 0.05 s at 44.1 kHz
PRIMING_PACKETS = 3  # of AAC: 0.26 s at 8 kHz
MAX_PRIMING_PACKETS = 64  # Opus may have 40 of 2.5 ms in PRIMING_S


class HiddenAudioFilter:
    """Passes the packets of one audio stream that a player plays, and the priming of its decoder.

    Audio from before the first edit is encoder delay where it is short. Where it is long, it was cut away: then only
    the packet before the cut is passed, without which AAC and its like begin wrong.
    """

    def __init__(self) -> None:
        self._begun = False
        self._hidden: deque[Packet[Stream]] = deque(maxlen=MAX_PRIMING_PACKETS)
        self._first_s: Fraction | None = None
        self._skip: PacketSideData | None = None

    def __call__(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Return the packets to pass on, now that the next one has come."""
        if packet.is_discard:
            if not self._begun:
                if packet.has_sidedata(SKIP_SAMPLES):
                    self._skip = packet.get_sidedata(SKIP_SAMPLES)
                self._first_s = packet_start_s(packet) if self._first_s is None else self._first_s
                self._hidden.append(packet)
            return []
        if self._begun:
            return [packet]
        self._begun = True
        passed = [*self._priming(packet_start_s(packet)), packet]
        if self._skip is not None and not passed[0].has_sidedata(SKIP_SAMPLES):
            _set_skip(passed[0], self._skip, packet_start_s(passed[0]) - (self._first_s or 0))
        return passed

    def _priming(self, start_s: Fraction) -> list[Packet[Stream]]:
        held = list(self._hidden)
        self._hidden.clear()
        if self._first_s is not None and start_s - self._first_s > PRIMING_S:
            held = held[-1:]
        return [packet for packet in held if start_s - packet_start_s(packet) <= PRIMING_S]


def _set_skip(packet: Packet[Stream], skip: PacketSideData, later_s: Fraction) -> None:
    """Set how many samples a decoder skips from `packet` on, `later_s` after the packet that `skip` was with.

    Where the first packet has no such number, or 0, FFmpeg 9 skips as many samples as the edit list hides in all,
    although they do not pass; below 0 it skips none.
    """
    (count,) = struct.unpack_from("<I", bytes(skip))
    left = count - round(later_s * cast(AudioStream, packet.stream).sample_rate)
    skip.update(struct.pack("<i", left if left > 0 else -1) + bytes(skip)[4:])
    packet.set_sidedata(skip)


def hidden_audio_s(path: Path) -> Fraction:
    """Return how many seconds of audio a file holds that no player plays: the most of all streams, without priming.

    Raises SourceError when it cannot be opened, CorruptInputError when it cannot be read.
    """
    container = open_file(path)
    try:
        hidden: dict[int, list[Packet[Stream]]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(list(container.streams.audio)) if hidden else ():
            if packet.size and packet.is_discard:
                hidden[packet.stream.index].append(packet)
        return max(map(_duration_s, hidden.values()), default=Fraction(0))
    except (av.error.FFmpegError, OSError) as error:
        raise CorruptInputError(f"{path}: the audio cannot be read: {reason(error)}") from error
    finally:
        container.close()


def _duration_s(packets: Sequence[Packet[Stream]]) -> Fraction:
    hidden = sum((packet.duration or 0) * (known_fraction(packet.time_base) or 0) for packet in packets)
    return Fraction(hidden) if hidden > PRIMING_S and len(packets) > PRIMING_PACKETS else Fraction(0)
