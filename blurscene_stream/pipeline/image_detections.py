"""Detections files of still images: the form is that of a video of one frame, which shows the upright image."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import DetectionError, UsageError
from blurscene_stream.frames import CopiedPacket, RedactedFrame, SourceItem
from blurscene_stream.image import DecodedImage
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.sidecar import DetectionsFile, DetectionsWriter, Header
from blurscene_stream.sidecar.line_format import frame_line, header_line
from blurscene_stream.streams import StreamInfo

TIME_BASE = Fraction(1)


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
