"""Timestamps: PyAV's rationals as fractions, the timestamp origin of MPEG streams, and presentation clocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Protocol

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from blurscene_stream.errors import CorruptInputError

log = logging.getLogger(__name__)

Clock = Callable[[VideoFrame], int | None]
"""Presentation time of a frame in ticks of its stream; None when the frame must be dropped whole."""

MAX_STEP_BACK_S = 1.0

CLOCKED_FORMATS = ("mpegts", "mpeg")  # libav's names of transport and program streams
MAX_START_S = 10.0  # a muxer's own delay is less
NEW_START_S = 1  # leading pictures come before the first of the file


class Rational(Protocol):
    """`Fraction` up to PyAV 18, AVRational from PyAV 19 on."""

    @property
    def numerator(self) -> int:
        """Return the numerator."""

    @property
    def denominator(self) -> int:
        """Return the denominator; AVRational allows 0."""


def fraction(ratio: Rational) -> Fraction:
    """Return the same number as a Fraction. Raises ZeroDivisionError for libav's 0/0 and n/0: see `known_fraction`."""
    return Fraction(ratio.numerator, ratio.denominator)


def known_fraction(ratio: Rational | None) -> Fraction | None:
    """Return the same number, None where it is unknown: None and 0/1 in PyAV 18, 0/0, n/0 and 0/1 in PyAV 19."""
    return fraction(ratio) if ratio and ratio.numerator and ratio.denominator else None


def packet_start_s(packet: Packet[Stream]) -> Fraction:
    """Return the presentation time of a packet in seconds; 0 where it has none."""
    return (packet.pts or 0) * fraction(packet.time_base) if packet.time_base else Fraction(0)


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


class FileClock:
    """Times the frames of a file, of which none is dropped.

    A frame without a time follows the one before at the average rate; one that does not come after the one before is
    moved by one tick. A jump back by more than MAX_STEP_BACK_S ends the run.
    """

    def __init__(self, name: str, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self._name = name
        self._time_base = time_base
        self._ticks = max(1, round(1 / (frame_rate * time_base))) if frame_rate else 1
        self._last_pts: int | None = None
        self._warned = False

    def __call__(self, decoded: VideoFrame) -> int:
        """Return the time of the next frame. Raises CorruptInputError at a jump back."""
        pts = decoded.pts
        if pts is None:
            self._warn("pictures without a time are placed at the average rate")
            pts = 0 if self._last_pts is None else self._last_pts + self._ticks
        elif self._last_pts is not None and pts <= self._last_pts:
            back_s = float((self._last_pts - pts) * self._time_base)
            if back_s > MAX_STEP_BACK_S:
                raise CorruptInputError(f"{self._name}: the time jumps back by {back_s:.1f} s; cut the file there")
            self._warn("times that do not increase are moved by one tick")
            pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _warn(self, what: str) -> None:
        if not self._warned:
            log.warning("%s: %s", self._name, what)
        self._warned = True


class LiveClock:
    """Times the frames of a camera: its clock may step back with its first RTCP report, and such frames are dropped."""

    def __init__(self) -> None:
        self._last_pts: int | None = None

    def __call__(self, decoded: VideoFrame) -> int | None:
        """Return the time of the next frame, None when it has none that can be used."""
        pts = decoded.pts
        if pts is None or (self._last_pts is not None and pts <= self._last_pts):
            return None
        self._last_pts = pts
        return pts
