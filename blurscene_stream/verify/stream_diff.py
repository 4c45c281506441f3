"""Stream facts that must be the same, and metadata that must not be there."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from blurscene_stream.frames import Frame
from blurscene_stream.source.inspection.audio_reading import has_extra_header
from blurscene_stream.source.inspection.output_metadata import ForeignMetadata, LeftoverSideData
from blurscene_stream.streams import StreamInfo, StreamType
from blurscene_stream.verify.report import Check, Grade

HDR_TOLERANCE = Fraction(1, 200)  # of a value: AV1 holds fewer digits than H.264
MIN_HDR = Fraction(1, 10)  # a smaller value may be off by as much as this one


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
