"""Frame count, timestamps and order: each frame of OUTPUT at its time, showing its own picture."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np

from blurscene_stream.streams import StreamInfo
from blurscene_stream.verify.codec_noise import CodecNoise
from blurscene_stream.verify.frame_pair import FramePair, shows
from blurscene_stream.verify.report import Check, Grade

ROUNDING_S = Fraction(1, 1000)  # Matroska counts in milliseconds, and so do the edit lists of MP4
MAX_SHIFT_S = 2  # by which a container without negative timestamps may move everything, audio too
MOVED = 12.0  # levels between two frames; an encoder may leave less than that as it was in the frame before
MIN_MOVED = 32  # blocks of a coarse picture that must have moved, or two frames are alike


class FrameTimes:
    """Compares the timestamps of frames.

    check:     what was found
    shift_s:   how much later everything is in OUTPUT; None before the first frame
    allowed_s: tolerance of a timestamp
    """

    def __init__(self, before: StreamInfo, after: StreamInfo, exact: bool) -> None:
        """`exact`: OUTPUT's container can hold every start, so nothing may be shifted."""
        self.check = Check("frames")
        self.shift_s: Fraction | None = None
        self.allowed_s = ROUNDING_S + before.time_base + after.time_base
        self._before, self._after = before.time_base, after.time_base
        self._exact = exact
        self._counts = [0, 0]
        self._same = True

    @property
    def shown(self) -> int:
        """Return how many frames of OUTPUT there were."""
        return self._counts[1]

    def add_pair(self, before_pts: int, after_pts: int) -> bool:
        """Compare one frame of each; return False when they, or frames before them, do not belong together."""
        number, time_s = self._counts[0], before_pts * self._before
        self._counts = [count + 1 for count in self._counts]
        offset_s = after_pts * self._after - time_s
        if self.shift_s is None:
            self.shift_s = offset_s
            if abs(offset_s) > (self.allowed_s if self._exact else MAX_SHIFT_S):
                self.check.add(Grade.fail, f"is at {float(time_s + offset_s):.3f} s", number, float(time_s))
        elif self._same and abs(offset_s - self.shift_s) > self.allowed_s:
            self._same = False
            text = f"is at {float(time_s + offset_s - self.shift_s):.3f} s; no picture was compared from here on"
            self.check.add(Grade.fail, text, number, float(time_s))
        return self._same

    def add_unpaired(self, output: bool) -> None:
        """Count a frame that the other video does not have."""
        self._counts[output] += 1

    def finish(self) -> None:
        """Sum up."""
        before, after = self._counts
        if before != after:
            self.check.add(Grade.fail, f"INPUT has {before:,} frames, OUTPUT {after:,}")
        shift_s = self.shift_s or Fraction(0)
        shifted = f", all {abs(float(shift_s)) * 1000:.0f} ms {'later' if shift_s > 0 else 'earlier'}"
        times = "same times" if self._same else "other times"
        self.check.summary = f"{after:,} of {before:,}, {times}{shifted if abs(shift_s) > self.allowed_s else ''}"


class FrameOrder:
    """Finds frames that show what the frame before or after them shows; always one frame behind."""

    def __init__(self, check: Check, noise: CodecNoise) -> None:
        """`check`: where findings are reported; `noise`: of the codec."""
        self._check, self._noise = check, noise
        self._last: deque[FramePair] = deque(maxlen=3)

    def add(self, pair: FramePair) -> None:
        """Compare one more frame with its neighbours."""
        self._last.append(pair)
        if len(self._last) == 2:
            self._compare(0, 1)
        if len(self._last) == 3:
            self._compare(1, 0)
            self._compare(1, 2)

    def finish(self) -> None:
        """Compare the last frame, which no other follows."""
        if len(self._last) > 1:
            self._compare(-1, -2)

    def _compare(self, own: int, other: int) -> None:
        pair, neighbour = self._last[own], self._last[other]
        here, there = pair.expected.coarse, neighbour.expected.coarse
        moved = np.abs(there - here) > MOVED
        if np.count_nonzero(moved) < MIN_MOVED:
            return
        if shows(pair.shown.coarse[moved], there[moved], here[moved]):
            text = f"shows what frame {neighbour.number} of INPUT shows"
            self._check.add(self._noise.grade(Grade.fail), text, pair.number, pair.time_s)
