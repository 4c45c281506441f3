"""The same number of frames, at the same times."""

from __future__ import annotations

from fractions import Fraction

from blurscene_stream.streams import StreamInfo
from blurscene_stream.verify.report import Check, Grade

ROUNDED_S = Fraction(1, 1000)  # Matroska counts in milliseconds, and so do the edit lists of MP4
MOST_SHIFT_S = 2  # what a container without negative times may move all by; its sound moves too


class Timing:
    """Compares the times of frames.

    check:   what was found
    shift_s: how much later everything is in OUTPUT; None before the first frame
    allowed_s: how far a time may be off
    """

    def __init__(self, before: StreamInfo, after: StreamInfo, exact: bool) -> None:
        """`exact`: OUTPUT's container can hold every start, so nothing may be moved."""
        self.check = Check("frames")
        self.shift_s: Fraction | None = None
        self.allowed_s = ROUNDED_S + before.time_base + after.time_base
        self._before, self._after = before.time_base, after.time_base
        self._exact = exact
        self._frames = [0, 0]
        self._same = True

    def step(self, before_pts: int, after_pts: int) -> bool:
        """One frame of each; False when they, or frames before them, do not belong together."""
        number, time_s = self._frames[0], before_pts * self._before
        self._frames = [count + 1 for count in self._frames]
        off_s = after_pts * self._after - time_s
        if self.shift_s is None:
            self.shift_s = off_s
            if abs(off_s) > (self.allowed_s if self._exact else MOST_SHIFT_S):
                self.check.add(Grade.fail, f"is at {float(time_s + off_s):.3f} s", number, float(time_s))
        elif self._same and abs(off_s - self.shift_s) > self.allowed_s:
            self._same = False
            text = f"is at {float(time_s + off_s - self.shift_s):.3f} s; no picture was compared from here on"
            self.check.add(Grade.fail, text, number, float(time_s))
        return self._same

    def alone(self, output: bool) -> None:
        """One frame that the other video has not."""
        self._frames[output] += 1

    def finish(self) -> None:
        """Sum up."""
        before, after = self._frames
        if before != after:
            self.check.add(Grade.fail, f"INPUT has {before:,} frames, OUTPUT {after:,}")
        moved = (
            ""
            if self.shift_s is None or abs(self.shift_s) <= self.allowed_s
            else (f", all {abs(float(self.shift_s)) * 1000:.0f} ms {'later' if self.shift_s > 0 else 'earlier'}")
        )
        told = "same times" if self._same else "other times"
        self.check.summary = f"{after:,} of {before:,}, {told}{moved}"
