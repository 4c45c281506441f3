"""Picture files: which are read, where their results go, and one run over all of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from blurscene_stream.image.decode import decode
from blurscene_stream.image.encode import format_for
from blurscene_stream.image.samples import Picture
from blurscene_stream.pipeline.image import Found, PictureAnonymizer
from blurscene_stream.pipeline.image_paths import Pair, PictureJob, Plan, plan
from blurscene_stream.pipeline.interruption import Interruption
from blurscene_stream.pipeline.judge import LoadDetector, load_torch_detector, named
from blurscene_stream.sink import make_folder, write_file

log = logging.getLogger(__name__)

LARGEST_FILE_BYTES = 2 << 30
NAMELESS = (SourceError, CorruptInputError, UsageError, SinkError)  # errors that do not name the file


@dataclass(slots=True)
class PictureSummary:
    """What was done.

    found:   boxes of each class, in all pictures together
    skipped: files of the folder that are no pictures
    """

    target: str
    device: str
    pictures: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class PictureWatch:
    """Who is told how far a run is.

    started: called once with the number of pictures
    written: called after each picture
    """

    started: Callable[[int], None] = lambda _: None
    written: Callable[[Detections], None] = lambda _: None


def anonymize_pictures(
    job: PictureJob,
    settings: Settings,
    watch: PictureWatch,
    interruption: Interruption,
    load_detector: LoadDetector = load_torch_detector,
) -> PictureSummary:
    """Write an anonymized copy of a picture, or of every picture in a folder.

    Raises the first error, a BlurSceneError when it was foreseen. Pictures that were finished before it stay; of the
    one that failed nothing is left.
    """
    todo = plan(job)
    for path in todo.skipped:
        log.info("%s: skipped, not a picture that can be read", path)
    with interruption.remembered():
        detector = load_detector(settings)
        anonymizer = PictureAnonymizer(settings, detector, job.preview)
        what = "PREVIEW, NOT ANONYMIZED: boxes are drawn, nothing is hidden" if job.preview else "anonymizing"
        log.info("%s -> %s on %s: %s", job.source, todo.target, detector.device_name, what)
        if areas := settings.areas.in_words:
            log.info("%s", areas)
        summary = PictureSummary(str(todo.target), detector.device_name, skipped=len(todo.skipped))
        with interruption.between_steps():
            _run(todo, anonymizer, summary, watch, interruption)
    return summary


def _run(
    todo: Plan, anonymizer: PictureAnonymizer, summary: PictureSummary, watch: PictureWatch, interruption: Interruption
) -> None:
    watch.started(len(todo.pairs))
    start_s = time.monotonic()
    for pair in todo.pairs:
        interruption.check()
        try:
            found = _one(pair, anonymizer, todo.overwrite, interruption)
        except StoppedError:
            raise
        except BlurSceneError as error:
            if not summary.pictures:
                raise
            raise type(error)(f"{error}; the {summary.pictures:,} pictures before it are complete") from error
        summary.pictures += 1
        summary.found.update(found.class_names[label] for label in found.class_ids)
        watch.written(found)
    summary.seconds = time.monotonic() - start_s


def _one(pair: Pair, anonymizer: PictureAnonymizer, overwrite: bool, interruption: Interruption) -> Detections:
    data = _read(pair.source)
    with named(str(pair.source), *NAMELESS):
        done = anonymizer.anonymize(data, format_for(pair.target))
    interruption.check()
    make_folder(pair.target.parent)
    write_file(pair.target, done.data, overwrite)
    return done.detections


def find_in_pictures(
    sources: Sequence[Path],
    settings: Settings,
    tell: Callable[[Path, Found], None],
    interruption: Interruption,
    load_detector: LoadDetector = load_torch_detector,
) -> None:
    """Tell what is in each picture, in order.

    Raises the first error, a BlurSceneError when it was foreseen.
    """
    for source in sources:
        _refuse_unreadable(source)
    with interruption.remembered():
        anonymizer = PictureAnonymizer(settings, load_detector(settings))
        with interruption.between_steps():
            for source in sources:
                interruption.check()
                data = _read(source)
                with named(str(source), *NAMELESS):
                    found = anonymizer.find(data)
                interruption.check()
                tell(source, found)


def read_picture(source: Path) -> Picture:
    """The upright picture in a file.

    Raises SourceError, CorruptInputError.
    """
    data = _read(source)
    with named(str(source), *NAMELESS):
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
    if size > LARGEST_FILE_BYTES:
        raise SourceError(f"{source}: {size:,} bytes are more than the {LARGEST_FILE_BYTES:,} that a picture may have")
