"""What the edit list of an MP4 shows of its tracks: what is cut away stays away, and is not missed."""

from __future__ import annotations

import struct
from collections import deque
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.source.mp4 import boxes_in, movie_of, track_of
from blurscene_stream.source.rationals import fraction

PRIMING_S = Fraction(1, 10)  # an encoder's run-up before the first sample: 2112 samples of AAC are 0.05 s
MOST_PRIMING = 64  # packets: Opus may have 40 of 2.5 ms in a tenth of a second


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
    return (packet.pts or 0) * fraction(packet.time_base) if packet.time_base else Fraction(0)


def promised_packets(video: VideoStream, path: Path) -> int:
    """How many packets of its video an MP4 says that it holds and shows; 0 when it does not say.

    libav's index of a track with an edit list has only what that needs: the packets of the rest are no loss.
    """
    indexed = len(video.index_entries)
    if not 0 < indexed < video.frames:
        return video.frames
    try:
        return indexed if _shows_a_part(path, video.id) else video.frames
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # nothing says so: what is missing is missing
        return video.frames


def _shows_a_part(path: Path, number: int) -> bool:
    """Does the edit list of the track of that number show less than the track holds? (ISO/IEC 14496-12, 8.6.6)"""
    movie = movie_of(path)
    track = track_of(movie, number)
    if not track[b"edts"]:
        return False
    per_second, _ = _clock(movie[b"mvhd"][0])
    ticks, held = _clock(boxes_in(track[b"mdia"][0])[b"mdhd"][0])
    shown = sum(map(_shown, boxes_in(track[b"edts"][0])[b"elst"]))
    return Fraction(shown + 1, per_second) < Fraction(held, ticks)


def _clock(header: bytes) -> tuple[int, int]:
    """Ticks a second, and the length in ticks, of a movie or a medium (8.2.2, 8.4.2)."""
    return struct.unpack_from(">IQ", header, 20) if header[0] else struct.unpack_from(">II", header, 12)


def _shown(edits: bytes) -> int:
    """How much of the medium a list shows, in ticks of the movie; edits that begin at -1 only wait."""
    each = ">Qqi" if edits[0] else ">Iii"
    return sum(length for length, start, _ in struct.iter_unpack(each, edits[8:]) if start != -1)
