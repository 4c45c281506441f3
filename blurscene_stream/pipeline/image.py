"""Still images, from file to file: read, detect, redact and write one after the other."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blurscene_stream.atomic_file import make_folder, write_file
from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import (
    BlurSceneError,
    CorruptInputError,
    SinkError,
    SourceError,
    StoppedError,
    UsageError,
    reason,
)
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.image import DecodedImage, decode, encode, format_for, refuse_loss
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.pipeline.detection import (
    Detector,
    LoadDetector,
    detect_frames,
    load_configured_detector,
    prefix_errors,
)
from blurscene_stream.pipeline.image_detections import detections_writer
from blurscene_stream.pipeline.image_paths import FilePair, ImageJob, Plan, plan
from blurscene_stream.pipeline.job import StopToken
from blurscene_stream.redact import Preview, Redactor

log = logging.getLogger(__name__)

SAME_OBJECT_IOU = 0.5  # boxes of one class that overlap by more, in two frames of one image, are one object
MAX_FILE_BYTES = 2 << 30
NAMELESS = (SourceError, CorruptInputError, UsageError, SinkError)  # errors that do not name the file


@dataclass(frozen=True, slots=True, eq=False)
class ImageDetections:
    """Detections of an image.

    width, height: pixels of the upright image, which the boxes of `detections` are on
    """

    width: int
    height: int
    detections: Detections

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
        """What was covered, in pixels of the upright image."""
        return self.frame.detections


@dataclass(frozen=True, slots=True)
class ImageCallbacks:
    """Progress of a run over images.

    on_start: called once with the number of images
    on_image: called after each image
    """

    on_start: Callable[[int], None] = lambda _: None
    on_image: Callable[[Detections], None] = lambda _: None


@dataclass(slots=True)
class ImageSummary:
    """Result of a run over images.

    found:   boxes of each class, in all images together
    skipped: files of the folder that are no images
    """

    target: str
    device: str
    images: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    skipped: int = 0


class ImageAnonymizer:
    """Detects and redacts in images given as the bytes of a file. Built once; holds nothing of an image."""

    def __init__(self, settings: Settings, detector: Detector, preview: bool = False) -> None:
        """`preview`: draw boxes and scores instead of redacting.

        Raises ConfigError for a class of the detector without settings.
        """
        self._detector = detector
        self._settings = settings
        self._variants = settings.detect.variants
        names = detector.class_names
        self._redact = Preview(settings, names) if preview else Redactor(settings, names, still=True)

    def detect(self, data: bytes, name: str = "image") -> ImageDetections:
        """Return the detections of the image `data`; `name`: for the log.

        Raises SourceError, CorruptInputError, DetectionError; none of them names the file.
        """
        image = decode(data)
        height, width = image.samples.shape[:2]
        return ImageDetections(width, height, self.detect_decoded(image, name))

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

    def write(self, image: AnonymizedImage, target: Path, todo: Plan) -> None:
        """Write an anonymized image, and its detections file where `todo` names one: both, or none.

        Raises SinkError.
        """
        if todo.detections is None:
            write_file(target, image.data, todo.overwrite)
            return
        with detections_writer(todo.detections, image.frame, self._settings, todo.overwrite) as writer:
            writer.start()
            writer.write(image.frame)
            writer.close()
            write_file(target, image.data, todo.overwrite, and_then=writer.commit)


def merge_frame_detections(frames: Sequence[Detections]) -> Detections:
    """Merge the detections of all frames of one image: an object that shows in several is in it once."""
    merged, *others = (detections.confident() for detections in frames)
    for other in others:
        overlap = iou(other.xyxy, merged.xyxy) * (other.class_ids[:, None] == merged.class_ids[None, :])
        new = other[~(overlap > SAME_OBJECT_IOU).any(axis=1)]
        merged = Detections.concatenate([merged, new])
    return merged


def anonymize_images(
    job: ImageJob,
    settings: Settings,
    callbacks: ImageCallbacks,
    stop_token: StopToken,
    load_detector: LoadDetector = load_configured_detector,
) -> ImageSummary:
    """Write an anonymized copy of an image, or of every image in a folder.

    Raises the first error, a BlurSceneError when it was foreseen. Images that were finished before it stay; of the
    one that failed nothing is left.
    """
    todo = plan(job)
    for path in todo.skipped:
        log.info("%s: skipped, not a picture that can be read", path)
    with stop_token.reraise_swallowed():
        detector = load_detector(settings)
        anonymizer = ImageAnonymizer(settings, detector, job.preview)
        what = "PREVIEW, NOT ANONYMIZED: boxes are drawn, nothing is hidden" if job.preview else "anonymizing"
        log.info("%s -> %s on %s: %s", job.source, todo.target, detector.device_name, what)
        for line in settings.exceptions:
            log.info("%s", line)
        summary = ImageSummary(str(todo.target), detector.device_name, skipped=len(todo.skipped))
        with stop_token.defer():
            _anonymize_all(todo, anonymizer, summary, callbacks, stop_token)
    return summary


def _anonymize_all(
    todo: Plan, anonymizer: ImageAnonymizer, summary: ImageSummary, callbacks: ImageCallbacks, stop_token: StopToken
) -> None:
    callbacks.on_start(len(todo.pairs))
    start_s = time.monotonic()
    for pair in todo.pairs:
        stop_token.raise_if_stopped()
        try:
            detections = _anonymize_file(pair, anonymizer, todo, stop_token)
        except StoppedError:
            raise
        except BlurSceneError as error:
            if not summary.images:
                raise
            raise type(error)(f"{error}; the {summary.images:,} pictures before it are complete") from error
        summary.images += 1
        summary.found.update(detections.class_names[class_id] for class_id in detections.class_ids)
        callbacks.on_image(detections)
    summary.seconds = time.monotonic() - start_s


def _anonymize_file(pair: FilePair, anonymizer: ImageAnonymizer, todo: Plan, stop_token: StopToken) -> Detections:
    data = _read(pair.source)
    with prefix_errors(str(pair.source), *NAMELESS):
        done = anonymizer.anonymize(data, format_for(pair.target), str(pair.source))
    stop_token.raise_if_stopped()
    make_folder(pair.target.parent)
    anonymizer.write(done, pair.target, todo)
    return done.detections


def detect_images(
    sources: Sequence[Path],
    settings: Settings,
    callback: Callable[[Path, ImageDetections], None],
    stop_token: StopToken,
    load_detector: LoadDetector = load_configured_detector,
) -> None:
    """Call `callback` with the detections of each image, in order.

    Raises the first error, a BlurSceneError when it was foreseen.
    """
    for source in sources:
        _refuse_unreadable(source)
    with stop_token.reraise_swallowed():
        anonymizer = ImageAnonymizer(settings, load_detector(settings))
        with stop_token.defer():
            for source in sources:
                stop_token.raise_if_stopped()
                data = _read(source)
                with prefix_errors(str(source), *NAMELESS):
                    detections = anonymizer.detect(data, str(source))
                stop_token.raise_if_stopped()
                callback(source, detections)


def read_image(source: Path) -> DecodedImage:
    """Decode the image in a file, upright.

    Raises SourceError, CorruptInputError.
    """
    data = _read(source)
    with prefix_errors(str(source), *NAMELESS):
        return decode(data)


def _read(source: Path) -> bytes:
    _refuse_unreadable(source)
    try:
        return source.read_bytes()
    except OSError as error:
        raise SourceError(f"{source}: cannot be read: {reason(error)}") from error


def _refuse_unreadable(source: Path) -> None:
    try:
        if not source.exists():
            raise SourceError(f"{source}: there is no such file")
        if not source.is_file():
            raise SourceError(f"{source}: is not a file; give a picture")
        size = source.stat().st_size
    except OSError as error:
        raise SourceError(f"{source}: cannot be read: {reason(error)}") from error
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{source}: {size:,} bytes are more than the {MAX_FILE_BYTES:,} that a picture may have")
