"""One frame of both videos: as it was, as its redaction must look, and as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame, PictureInfo
from blurscene_stream.redact import Redactor, Region, cover_mask
from blurscene_stream.verify.levels import Levels, Look, Mask, look_at


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame of both videos.

    number, time_s: in INPUT
    before:         its luma in INPUT
    hidden:         what redaction makes of it
    shown:          what OUTPUT shows
    detections:     what must be covered
    regions:        what is covered: areas, and for each of `detections` that lies in the picture its region
    covered:        bool (height, width), the pixels in them
    frame:          of OUTPUT
    """

    number: int
    time_s: float
    before: Levels
    hidden: Look
    shown: Look
    detections: Detections
    regions: Sequence[Region]
    covered: Mask
    frame: Frame

    @property
    def picture(self) -> PictureInfo:
        """The shape of both pictures."""
        return self.frame.picture


class Redaction:
    """Redacts INPUT once more, by the very code and settings of a run, to know what OUTPUT must show."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def moment(self, frame: Frame, detections: Detections, time_s: float, shown: Frame) -> Moment:
        """The moment of a frame of INPUT, whose planes are redacted in place, and of `shown` in OUTPUT.

        Raises RedactionError, ConfigError for an area that lies outside the picture.
        """
        before = look_at(frame).luma
        kept = self._redactor(frame, detections).detections
        if frame.corrupt:  # it is covered whole, whatever was found in it
            kept = Detections.empty(kept.class_names)
        regions = self._redactor.regions(frame.picture, detections, frame.corrupt)
        return Moment(
            number=frame.number,
            time_s=time_s,
            before=before,
            hidden=look_at(frame),
            shown=look_at(shown),
            detections=kept,
            regions=regions,
            covered=cover_mask(frame.picture, regions),
            frame=shown,
        )
