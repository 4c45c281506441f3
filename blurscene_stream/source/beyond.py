"""What of a file its items do not tell: sound that an edit list hides from players."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.errors import CorruptInputError, reason
from blurscene_stream.source.file import open_file
from blurscene_stream.source.rationals import known_fraction

RUN_UP_S, RUN_UP_PACKETS = Fraction(1, 10), 3
"""An encoder's run-up before the first sample is no sound: 2112 samples of AAC are 0.05 s at 44.1 kHz, 0.26 s at 8."""


def hidden_sound_s(path: Path) -> Fraction:
    """How many seconds of sound a file holds that no player plays: the most of all tracks, run-up left out.

    Raises SourceError when it cannot be opened, CorruptInputError when it cannot be read.
    """
    container = open_file(path)
    try:
        tracks: dict[int, list[Packet[Stream]]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(list(container.streams.audio)) if tracks else ():
            if packet.size and packet.is_discard:
                tracks[packet.stream.index].append(packet)
        return max(map(_length_s, tracks.values()), default=Fraction(0))
    except (av.error.FFmpegError, OSError) as error:
        raise CorruptInputError(f"{path}: the sound cannot be read: {reason(error)}") from error
    finally:
        container.close()


def _length_s(packets: Sequence[Packet[Stream]]) -> Fraction:
    hidden = sum((packet.duration or 0) * (known_fraction(packet.time_base) or 0) for packet in packets)
    return Fraction(hidden) if hidden > RUN_UP_S and len(packets) > RUN_UP_PACKETS else Fraction(0)
