"""Streams of both videos: properties, frame count, timestamps and order that must be the same, leftover metadata."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from blurscene_stream.frames import Frame
from blurscene_stream.source.inspection.audio_reading import has_extra_header
from blurscene_stream.source.inspection.output_metadata import ForeignMetadata, LeftoverSideData
from blurscene_stream.streams import StreamInfo, StreamType
from blurscene_stream.verify.frame_pair import FramePair, shows
from blurscene_stream.verify.picture_diff import CodecNoise
from blurscene_stream.verify.report import Check, Grade

HDR_TOLERANCE = Fraction(1, 200)  # of a value: AV1 holds fewer digits than H.264
MIN_HDR = Fraction(1, 10)  # a smaller value may be off by as much as this one

ROUNDING_S = Fraction(1, 1000)  # Matroska counts in milliseconds, and so do the edit lists of MP4
MAX_SHIFT_S = 2  # by which a container without negative timestamps may move everything, audio too
MOVED = 12.0  # levels between two frames; an encoder may leave less than that as it was in the frame before
MIN_MOVED = 32  # blocks of a coarse picture that must have moved, or two frames are alike


def compare_streams(before: StreamInfo, after: StreamInfo) -> Check:
    """Compare size, rotation, pixel aspect ratio, range and colour tags of both videos.

    Field order and HDR metadata, which some encoders cannot signal, are for review.
    """
    check = Check("stream")
    one, other = before.picture, after.picture
    _compare(check, "size", f"{one.width}x{one.height}", f"{other.width}x{other.height}")
    _compare(check, "rotation", _rotation(before), _rotation(after))
    _compare(check, "pixel aspect ratio", one.sample_aspect_ratio, other.sample_aspect_ratio)
    _compare(check, "range", _range(before), _range(after))
    colors, other_colors = before.color, after.color
    _compare(check, "color primaries", _tag(colors.primaries), _tag(other_colors.primaries))
    _compare(check, "color transfer", _tag(colors.transfer), _tag(other_colors.transfer))
    _compare(check, "color matrix", _tag(colors.matrix), _tag(other_colors.matrix))
    if before.field_order is not after.field_order:
        check.add(Grade.review, f"field order: {after.field_order.name} instead of {before.field_order.name}")
    if not _equal_hdr(colors.mastering_display, other_colors.mastering_display):
        check.add(Grade.review, "HDR mastering display: another one, or none")
    if not _equal_hdr(colors.content_light_level, other_colors.content_light_level):
        check.add(Grade.review, "HDR content light level: another one, or none")
    turned = "" if one.orientation == type(one.orientation)() else ", turned"
    check.summary = f"{other.width}x{other.height}{turned}, {other.pixel_format.name}"
    return check


def _compare(check: Check, what: str, before: object, after: object) -> None:
    if before != after:
        check.add(Grade.fail, f"{what}: {after} instead of {before}")


def _equal_hdr(before: Sequence[Fraction | int] | None, after: Sequence[Fraction | int] | None) -> bool:
    if before is None or after is None:
        return before is after
    pairs = [(Fraction(one), Fraction(other)) for one, other in zip(before, after, strict=True)]
    return all(abs(one - other) <= HDR_TOLERANCE * max(one, MIN_HDR) for one, other in pairs)


def _rotation(info: StreamInfo) -> str:
    orientation = info.picture.orientation
    names = ("transposed", "flip_x", "flip_y")
    return " and ".join(name.replace("_", " in ") for name in names if getattr(orientation, name)) or "none"


def _range(info: StreamInfo) -> str:
    return "full" if info.picture.full_range else "limited"


def _tag(number: int) -> object:
    """Return FFmpeg's number of a colour tag, "none" for 0 and 2, which are unspecified."""
    return "none" if number in (0, 2) else number


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


class LeftoverMetadata:
    """Looks for whatever a run lets through only by name, or never: streams, tags, chapters, user data.

    check: what was found
    """

    def __init__(self, after: StreamInfo, foreign: ForeignMetadata) -> None:
        self.check = Check("metadata", "nothing beside pictures and audio but what may be kept")
        self._notes = LeftoverSideData()
        self._reported: set[str] = set()
        if len(foreign.videos) > 1:
            self._add(f"{len(foreign.videos)} videos")
        for what in (*after.dropped, *foreign.metadata):
            self._add(what)
        for stream in after.copied_streams:
            if stream.type is StreamType.audio and has_extra_header(stream):
                self._add(f"something in the header of its {stream.codec} audio that decoding does not need")

    def add(self, shown: Frame) -> None:
        """Look at one more picture of OUTPUT; what was reported for another one is not repeated."""
        for what in self._notes(shown):
            if what not in self._reported:
                self._reported.add(what)
                self._add(f"{what} inside the video", shown.number)

    def finish(self, cleaned: int) -> None:
        """Sum up; `cleaned`: audio packets in or beside which something else was found."""
        if cleaned:
            self._add(f"something beside the audio, in {cleaned:,} of its packets")

    def _add(self, what: str, frame: int | None = None) -> None:
        self.check.summary = "something beside pictures and audio that may not be kept, or was not named"
        self.check.add(Grade.fail, f"OUTPUT holds {what}", frame)
