"""Still images, from file to file: read, detect or look up, redact and write one after the other."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import make_folder, write_file
from blurscene_stream.boxes import Detections
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
from blurscene_stream.image import DecodedImage, decode, encode, format_for, refuse_loss
from blurscene_stream.paths import refuse_same
from blurscene_stream.pipeline.detection import LoadDetector, load_configured_detector, prefix_errors
from blurscene_stream.pipeline.image import (
    AnonymizedImage,
    ImageAnonymizer,
    ImageDetections,
    detections_writer,
    redact_listed,
)
from blurscene_stream.pipeline.image_paths import FilePair, ImageJob, Plan, plan
from blurscene_stream.pipeline.job import StopToken
from blurscene_stream.sidecar import DetectionsFile

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 2 << 30
NAMELESS = (SourceError, CorruptInputError, UsageError, SinkError)  # errors that do not name the file


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


def anonymize_images(
    todo: Plan,
    settings: Settings,
    callbacks: ImageCallbacks,
    stop_token: StopToken,
    load_detector: LoadDetector = load_configured_detector,
) -> ImageSummary:
    """Write an anonymized copy of every image of a plan.

    Raises the first error, a BlurSceneError when it was foreseen. Images that were finished before it stay; of the
    one that failed nothing is left.
    """
    job = todo.job
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
    _write(done, pair.target, todo, anonymizer.settings)
    return done.detections


def _write(image: AnonymizedImage, target: Path, todo: Plan, settings: Settings) -> None:
    """Write an anonymized image, and its detections file where the job names one: both, or none. Raises SinkError."""
    job = todo.job
    if job.detections is None:
        write_file(target, image.data, job.overwrite)
        return
    with detections_writer(job.detections.path, image.frame, settings, job.overwrite) as writer:
        writer.start()
        writer.write(image.frame)
        writer.close()
        write_file(target, image.data, job.overwrite, and_then=writer.commit)


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


def render_image(job: ImageJob, file: Path, settings: Settings, stop_token: StopToken) -> ImageSummary:
    """Write an anonymized copy of an image file, covering what the detections file `file` says.

    With the settings of the run that wrote `file`, and the file as it was written, the result is that of that run.
    Raises the first error, a BlurSceneError when it was foreseen; nothing is then left.
    """
    (pair,) = plan(job).pairs
    refuse_same(Address(str(file.absolute())), Address(str(pair.target)), "file of detections and output")
    start_s, file_format = time.monotonic(), format_for(pair.target)
    with stop_token.reraise_swallowed(), stop_token.defer(), DetectionsFile(file, settings) as listed:
        image = read_image(pair.source)
        log.info("%s -> %s, %s", pair.source, pair.target, listed.description)
        with prefix_errors(str(pair.source), *NAMELESS[:-2]):
            refuse_loss(image, file_format)
        frame = redact_listed(image, listed, settings, str(pair.source), job.preview)
        data = encode(frame, file_format)
        stop_token.raise_if_stopped()
        write_file(pair.target, data, job.overwrite)
    summary = ImageSummary(str(pair.target), listed.device_name, images=1, seconds=time.monotonic() - start_s)
    summary.found.update(frame.detections.class_names[class_id] for class_id in frame.detections.class_ids)
    return summary


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
