"""Sound that was encoded anew is decoded on both sides and compared second by second."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.source.rationals import fraction

Wave = NDArray[np.float32]

BLOCK_S = 1
LEAST_ALIKE = 0.8  # correlation; codecs for speech and music come to 0.95 and more
QUIET = 1e-3  # of full scale
LOUDER = 2.0  # times; another level is another sound
LAST_S = Fraction(1, 10)  # of the rest at the end
EDGE_S = Fraction(1, 4)  # more at both ends: an encoder's run-up, and the end of its last packet
MISSING_S = Fraction(1, 100)  # less at both ends, or in between: no packet is that short, but for rounding
STRAY_S = 0.004  # a jump in time that is longer is a hole in the sound
PLAYED_FROM_S = Fraction(0)  # of INPUT; what comes before is a decoder's run-up, which a container may leave out
ROUNDED_S = 0.001  # Matroska's times are in milliseconds: high sounds that are half of one late look like others


class Waves:
    """One track of INPUT, and what it was encoded to. Held is only what the other side has not reached yet."""

    def __init__(self, before: Any, after: Any, shift: Callable[[], Fraction | None]) -> None:
        """`before`, `after`: the streams as their sources hold them; `shift`: how much later OUTPUT is, once known."""
        self._sides = (_Side(before), _Side(after))
        self._rate = min(side.rate for side in self._sides)
        self._shift = shift
        self._at_s: Fraction | None = None  # of INPUT; what comes before it was compared
        self._wrong: str | None = None

    def hear(self, side: int, packet: Any) -> None:
        """One packet more."""
        self._sides[side].hear(packet)
        shift_s = self._shift()
        if shift_s is not None and all(each.start_s is not None for each in self._sides):
            self._compare(shift_s, Fraction(BLOCK_S))

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:  # noqa: ARG002 (a Comparison)
        """What is wrong, in words; what a codec does to sound hides a shift by a few samples."""
        for side in self._sides:
            side.flush()
        before, after = self._sides
        if before.start_s is None or after.start_s is None:
            return None if before.start_s is after.start_s else "is empty on one side"
        for what, then_s, now_s, way in (
            ("begins", max(before.start_s, PLAYED_FROM_S), max(after.start_s - shift_s, PLAYED_FROM_S), 1),
            ("ends", before.end_s, after.end_s - shift_s, -1),
        ):
            if not -EDGE_S <= (now_s - then_s) * way <= MISSING_S:
                return f"{what} at {float(now_s):.3f} s instead of {float(then_s):.3f} s"
        if abs(after.silence_s - before.silence_s) > MISSING_S:
            return f"has holes of {float(after.silence_s):.3f} s instead of {float(before.silence_s):.3f} s"
        self._compare(shift_s, Fraction(BLOCK_S))
        self._compare(shift_s, LAST_S)
        return self._wrong

    def _compare(self, shift_s: Fraction, length_s: Fraction) -> None:
        """All that both sides have, in blocks of `length_s`."""
        before, after = self._sides
        assert before.start_s is not None and after.start_s is not None
        if self._at_s is None:
            self._at_s = max(before.start_s, after.start_s - shift_s, PLAYED_FROM_S)
        while self._at_s + length_s <= min(before.end_s, after.end_s - shift_s):
            one, other = (
                side.taken(at_s, self._rate, int(length_s * self._rate))
                for side, at_s in ((before, self._at_s), (after, self._at_s + shift_s))
            )
            if self._wrong is None and not _alike(one, other, round(ROUNDED_S * self._rate)):
                self._wrong = f"is another sound at {float(self._at_s):.3f} s"
            self._at_s += length_s
            before.forget(self._at_s - EDGE_S)
            after.forget(self._at_s + shift_s - EDGE_S)


def _alike(one: Wave, other: Wave, most: int) -> bool:
    """True for the same sound, as much as a codec leaves of it, at most so many samples later or earlier."""
    loud = [float(np.sqrt((wave * wave).mean())) if len(wave) else 0.0 for wave in (one, other)]
    if max(loud) < QUIET:
        return True
    if min(loud) * LOUDER < max(loud):
        return False
    least = LEAST_ALIKE * loud[0] * loud[1]
    lags = sorted(range(-most, most + 1), key=abs)  # nearly always the first will do
    return any(_product(one, other, lag) > least for lag in lags)


def _product(one: Wave, other: Wave, lag: int) -> float:
    """The mean product of two waves of one length, the second `lag` samples later."""
    count = len(one) - abs(lag)
    early, late = (one, other) if lag > 0 else (other, one)
    return float(early[:count] @ late[abs(lag) :]) / count if count > 0 else 0.0


class _Side:
    """The decoded sound of one side, mixed to one channel.

    start_s:   when it begins; None before that is known
    silence_s: how long the holes are, in all
    """

    def __init__(self, stream: Any) -> None:
        self._context = stream.codec_context
        self.rate = int(stream.codec_context.sample_rate)
        self.start_s: Fraction | None = None
        self.silence_s = Fraction(0)
        self._held: Wave = np.zeros(0, np.float32)
        self._forgotten = 0  # samples

    @property
    def end_s(self) -> Fraction:
        """When what was heard so far ends."""
        assert self.start_s is not None
        return self.start_s + Fraction(self._forgotten + len(self._held), self.rate)

    def hear(self, packet: Any) -> None:
        """One packet more; None: there are no more."""
        for frame in self._context.decode(packet):
            at_s = Fraction(0) if frame.pts is None else frame.pts * fraction(frame.time_base)
            if self.start_s is None:
                self.start_s = at_s
            hole = 0 if frame.pts is None else int((at_s - self.end_s) * self.rate)
            hole = hole if hole > STRAY_S * self.rate else 0
            self.silence_s += Fraction(hole, self.rate)
            silence = np.zeros(hole, np.float32)
            self._held = np.concatenate((self._held, silence, _mixed(frame)))

    def flush(self) -> None:
        """What the decoder still holds."""
        self.hear(None)

    def forget(self, until_s: Fraction) -> None:
        """Let go of what comes before `until_s`."""
        assert self.start_s is not None
        count = max(0, int((until_s - self.start_s) * self.rate) - self._forgotten)
        self._held = self._held[count:]
        self._forgotten += count

    def taken(self, at_s: Fraction, rate: int, count: int) -> Wave:
        """`count` samples from `at_s` on, at `rate`."""
        assert self.start_s is not None
        first = float((at_s - self.start_s) * self.rate) - self._forgotten
        if rate == self.rate:
            start = max(0, round(first))
            return self._held[start : start + count]
        places = first + np.arange(count) * (self.rate / rate)
        start = max(0, int(places[0]) - 1)
        near = self._held[start : int(places[-1]) + 2]
        wide = max(1, round(self.rate / rate))
        smooth = np.convolve(near, np.full(wide, 1 / wide, np.float32), mode="same")
        return np.asarray(np.interp(places - start, np.arange(len(smooth)), smooth), np.float32)


def _mixed(frame: Any) -> Wave:
    """The mean of the channels, full scale 1."""
    samples = frame.to_ndarray()
    channels = frame.layout.nb_channels
    apart = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        wave = (apart.astype(np.float32) - 128) / 128
    elif np.issubdtype(samples.dtype, np.integer):
        wave = apart.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    else:
        wave = apart.astype(np.float32)
    return np.asarray(wave.mean(axis=0))
