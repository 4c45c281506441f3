"""What the edit list of an MP4 shows of its tracks: what is cut away stays away, and is not missed."""

from __future__ import annotations

import os
import struct
from collections import defaultdict, deque
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

PRIMING_S = Fraction(1, 10)  # an encoder's run-up before the first sample: 2112 samples of AAC are 0.05 s
MOST_PRIMING = 64  # packets: Opus may have 40 of 2.5 ms in a tenth of a second

Boxes = defaultdict[bytes, list[bytes]]


class Heard:
    """Passes the packets of one sound track that a player plays, and the run-up of its decoder.

    Sound from before the first edit is the run-up of the encoder where it is short. Where it is long, it was cut
    away: then only the packet before the cut is passed, without which AAC and its like begin wrong.
    """

    def __init__(self) -> None:
        self._begun = False
        self._hidden: deque[Packet[Stream]] = deque(maxlen=MOST_PRIMING)
        self._first_s: Fraction | None = None

    def __call__(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """The packets to pass on, now that the next one has come."""
        if packet.is_discard:
            if not self._begun:
                self._first_s = _start_s(packet) if self._first_s is None else self._first_s
                self._hidden.append(packet)
            return []
        if self._begun:
            return [packet]
        self._begun = True
        return [*self._run_up(_start_s(packet)), packet]

    def _run_up(self, start_s: Fraction) -> list[Packet[Stream]]:
        held = list(self._hidden)
        self._hidden.clear()
        if self._first_s is not None and start_s - self._first_s > PRIMING_S:
            held = held[-1:]
        return [packet for packet in held if start_s - _start_s(packet) <= PRIMING_S]


def _start_s(packet: Packet[Stream]) -> Fraction:
    return (packet.pts or 0) * Fraction(packet.time_base) if packet.time_base else Fraction(0)


def promised_packets(video: VideoStream, path: Path) -> int:
    """How many packets of its video an MP4 says that it holds and shows; 0 when it does not say.

    libav's index of a track with an edit list has only what that needs: the packets of the rest are no loss.
    Raises OSError when the file cannot be read.
    """
    indexed = len(video.index_entries)
    if not 0 < indexed < video.frames:
        return video.frames
    try:
        return indexed if _shows_a_part(path, video.id) else video.frames
    except (struct.error, IndexError):  # boxes that cannot be: then what is missing is missing
        return video.frames


def _shows_a_part(path: Path, number: int) -> bool:
    """Does the edit list of the track of that number show less than the track holds? (ISO/IEC 14496-12, 8.6.6)"""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        movie = _movie(file)
    per_second, _ = _clock(movie[b"mvhd"][0])
    for track in map(_boxes, movie[b"trak"]):
        header = track[b"tkhd"][0]
        if struct.unpack_from(">I", header, 20 if header[0] else 12)[0] == number and track[b"edts"]:
            ticks, held = _clock(_boxes(track[b"mdia"][0])[b"mdhd"][0])
            shown = sum(map(_shown, _boxes(track[b"edts"][0])[b"elst"]))
            return Fraction(shown + 1, per_second) < Fraction(held, ticks)
    return False


def _movie(file: BinaryIO) -> Boxes:
    """What is in the box that tells of everything."""
    size, at = os.fstat(file.fileno()).st_size, 0
    while size - at >= 16:
        file.seek(at)
        length, name, large = struct.unpack(">I4sQ", file.read(16))
        length = large if length == 1 else length or size - at
        if name == b"moov":
            file.seek(at + 8)
            return _boxes(file.read(length - 8))
        at += max(8, length)
    return defaultdict(list)


def _boxes(data: bytes) -> Boxes:
    """The boxes in a box, by name: their bodies."""
    found, at = defaultdict(list), 0
    while len(data) - at >= 8:
        length, name = struct.unpack_from(">I4s", data, at)
        found[name].append(data[at + 8 : at + length])
        at += max(8, length)
    return found


def _clock(header: bytes) -> tuple[int, int]:
    """Ticks a second, and the length in ticks, of a movie or a medium (8.2.2, 8.4.2)."""
    return struct.unpack_from(">IQ", header, 20) if header[0] else struct.unpack_from(">II", header, 12)


def _shown(edits: bytes) -> int:
    """How much of the medium a list shows, in ticks of the movie; edits that begin at -1 only wait."""
    each = ">Qqi" if edits[0] else ">Iii"
    return sum(length for length, start, _ in struct.iter_unpack(each, edits[8:]) if start != -1)
