"""A still image, from bytes to bytes: decode, detect or look up, redact and encode.

Its detections file has the form of that of a video of one frame, which shows the upright image.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import DetectionError, UsageError
from blurscene_stream.frames import CopiedPacket, RedactedFrame, SourceItem
from blurscene_stream.image import DecodedImage, decode, encode, refuse_loss
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.pipeline.detection import Detector, detect_frames
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.sidecar import DetectionsFile, DetectionsWriter, Header
from blurscene_stream.sidecar.line_format import frame_line, header_line
from blurscene_stream.streams import StreamInfo

TIME_BASE = Fraction(1)
SAME_OBJECT_IOU = 0.5  # boxes of one class that overlap by more, in two frames of one image, are one object


@dataclass(frozen=True, slots=True, eq=False)
class ImageDetections:
    """Detections of an image.

    width, height: pixels of the upright image, which the boxes of `detections` are on
    """

    width: int
    height: int
    detections: Detections

    @classmethod
    def of(cls, image: DecodedImage, detections: Detections) -> ImageDetections:
        """Return the detections of a decoded image."""
        height, width = image.samples.shape[:2]
        return cls(width, height, detections)

    @property
    def boxes(self) -> list[tuple[str, float, list[float]]]:
        """Class name, score and corners x0 y0 x1 y1 of each box, clipped to the image."""
        names = [self.detections.class_names[class_id] for class_id in self.detections.class_ids]
        corners = self.detections.xyxy.clip(0, (self.width, self.height, self.width, self.height)).tolist()
        return list(zip(names, self.detections.scores.tolist(), corners, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Return size and boxes as JSON data, rounded to what a detector can tell."""
        rows = [
            {"label": label, "score": round(score, 4), "xyxy": [round(edge, 2) for edge in corners]}
            for label, score, corners in self.boxes
        ]
        return {"width": self.width, "height": self.height, "boxes": rows}


@dataclass(frozen=True, slots=True, eq=False)
class AnonymizedImage:
    """An image in which everything is covered that must be.

    data:  bytes of its file
    frame: what was written to it
    """

    data: bytes
    frame: RedactedFrame

    @property
    def detections(self) -> Detections:
        """Detections that were covered, in pixels of the upright image."""
        return self.frame.detections


class ImageAnonymizer:
    """Detects and redacts in images given as the bytes of a file. Built once; holds nothing of an image."""

    def __init__(self, settings: Settings, detector: Detector, preview: bool = False) -> None:
        """`preview`: draw boxes and scores instead of redacting.

        Raises ConfigError for a class of the detector without settings.
        """
        self.settings = settings
        self._detector = detector
        self._variants = settings.detect.variants
        names = detector.class_names
        self._redact = Preview(settings, names) if preview else Redactor(settings, names, still=True)

    def detect(self, data: bytes, name: str = "image") -> ImageDetections:
        """Return the detections of the image `data`; `name`: for the log.

        Raises SourceError, CorruptInputError, DetectionError; none of them names the file.
        """
        image = decode(data)
        return ImageDetections.of(image, self.detect_decoded(image, name))

    def detect_decoded(self, image: DecodedImage, name: str = "image") -> Detections:
        """Return the detections of a decoded image; `name`: for the log. Raises DetectionError."""
        detect = with_auto_rotation(self._detector, self._variants, name)
        return merge_frame_detections(detect_frames(image.frames(), detect))

    def anonymize(self, data: bytes, file_format: str, name: str = "image") -> AnonymizedImage:
        """Return the image `data` redacted, upright, as a file of `file_format`; `name`: for the log.

        Raises SourceError, CorruptInputError, UsageError when `file_format` cannot hold it, DetectionError,
        RedactionError, ConfigError for an area that lies outside it, SinkError; none of them names the file.
        """
        image = decode(data)
        refuse_loss(image, file_format)
        redacted = self.redact_decoded(image, name)
        return AnonymizedImage(encode(redacted, file_format), redacted)

    def redact_decoded(self, image: DecodedImage, name: str = "image") -> RedactedFrame:
        """Redact a decoded image in its own samples; `name`: for the log.

        Raises DetectionError, RedactionError, ConfigError for an area that lies outside it.
        """
        return self._redact(image.frames()[0], self.detect_decoded(image, name))


def merge_frame_detections(frames: Sequence[Detections]) -> Detections:
    """Merge the detections of all frames of one image: an object that shows in several is in it once."""
    merged, *others = (detections.confident() for detections in frames)
    for other in others:
        overlap = iou(other.xyxy, merged.xyxy) * (other.class_ids[:, None] == merged.class_ids[None, :])
        new = other[~(overlap > SAME_OBJECT_IOU).any(axis=1)]
        merged = Detections.concatenate([merged, new])
    return merged


def detections_text(image: DecodedImage, detections: Detections, settings: Settings) -> str:
    """Return the detections file of an image in which nothing is covered yet."""
    header = _header(image, detections, settings)
    return header_line(header, settings) + frame_line(image.frames()[0], detections, TIME_BASE)


def detections_writer(path: Path, frame: RedactedFrame, settings: Settings, overwrite: bool) -> DetectionsWriter:
    """Return the writer of the detections file of a redacted image. Raises SinkError."""
    return DetectionsWriter(path, _header(DecodedImage.of(frame), frame.detections, settings), settings, overwrite)


def redact_listed(
    image: DecodedImage, file: DetectionsFile, settings: Settings, name: str, preview: bool = False
) -> RedactedFrame:
    """Cover in a decoded image what its detections file says, in the image's own samples.

    name:    of the image, in messages
    preview: draw boxes and scores instead of redacting

    Raises UsageError when the file is of another image, or a line makes no sense; RedactionError, ConfigError for an
    area that lies outside the image.
    """
    whole = file.with_areas(settings)
    redact = Preview(whole, file.class_names) if preview else Redactor(whole, file.class_names, still=True)
    try:
        found = [
            item for item in file.detected(_items(image), _info(image, name)) if not isinstance(item, CopiedPacket)
        ]
    except DetectionError as error:  # no detector has failed here
        raise UsageError(str(error)) from error
    ((frame, detections),) = found
    return redact(frame, detections)


def _items(image: DecodedImage) -> Generator[SourceItem]:
    yield image.frames()[0]


def _info(image: DecodedImage, name: str) -> StreamInfo:
    return StreamInfo(name, image.info, TIME_BASE)


def _header(image: DecodedImage, detections: Detections, settings: Settings) -> Header:
    return Header.of(_info(image, "image"), detections.class_names, settings.areas.always)
