"""One video from its source to its target: read, detect, redact and write, each at its own pace."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import DetectionError, StoppedError
from blurscene_stream.frames import CopiedPacket, Frame, RedactedFrame, StreamInfo
from blurscene_stream.pipeline.anonymize import followed, judged, redacted
from blurscene_stream.pipeline.interruption import Interruption
from blurscene_stream.pipeline.judge import Detector, LoadDetector, Redact, load_torch_detector, named
from blurscene_stream.pipeline.looks import check_looks, with_looks
from blurscene_stream.pipeline.prefetch import Stage
from blurscene_stream.pipeline.targets import preview_target, refuse_same
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.sink import Sink, check, open_sink
from blurscene_stream.source import Source, open_source

log = logging.getLogger(__name__)


LIVE_QUEUE_FRAMES = 2  # a live picture that waits longer is late


@dataclass(frozen=True, slots=True)
class Job:
    """What to do.

    overwrite: replace a target that exists
    preview:   draw boxes and scores instead of hiding; the target is marked as not anonymized
    """

    source: Address
    target: Address
    overwrite: bool = False
    preview: bool = False


@dataclass(slots=True)
class Summary:
    """What was done.

    found:          boxes of each class, in all frames together
    dropped_frames: pictures of a live source that came too fast or could not be decoded
    left_out:       what the source holds and the target does not, in words
    """

    target: str
    device: str
    frames: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    dropped_frames: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far a run is; both run on the main thread.

    started: called once with the source, before the first frame
    written: called after each frame
    """

    started: Callable[[StreamInfo], None] = lambda _: None
    written: Callable[[RedactedFrame], None] = lambda _: None


def anonymize_video(
    job: Job,
    settings: Settings,
    watch: Watch,
    interruption: Interruption,
    load_detector: LoadDetector = load_torch_detector,
) -> Summary:
    """Write an anonymized copy of a source to a target.

    load_detector: builds what judges the pictures, once
    Raises the first error of any stage, a BlurSceneError when it was foreseen; then nothing is left that
    looks finished.
    """
    if job.preview:
        job = replace(job, target=preview_target(job.target))
    refuse_same(job.source, job.target)
    check(job.target, settings, job.overwrite)
    ready = load_detector(settings) if job.source.live else None  # a camera does not wait for a network to load
    with interruption.remembered(), open_source(job.source, settings.rtsp) as source:
        check_looks(settings, source.info)
        detector = ready or load_detector(settings)
        redactor = (Preview if job.preview else Redactor)(settings, detector.classes)
        summary = Summary(str(job.target), detector.device_name, left_out=source.info.dropped)
        log.info("%s", _opening_line(job, source.info, detector.device_name))
        if settings.detect.every > 1:
            log.warning("%s", _small_looks_line(source.info, settings))
        with open_sink(job.target, source.info, settings, job.overwrite) as sink:
            watch.started(source.info)
            start_s = time.monotonic()
            stages = _Stages(source, detector, redactor, settings)
            with interruption.delivered_to(stages.interrupt), named(source.info.name):
                _write_all(stages, sink, summary, watch)
            sink.finish()
            summary.seconds = time.monotonic() - start_s
    return summary


class _Stages:
    """The reader's and the consumer's thread; the third, the writer, is the one that reads `items`."""

    def __init__(self, source: Source, detect: Detector, redact: Redact, settings: Settings) -> None:
        live = source.info.live
        depth = LIVE_QUEUE_FRAMES if live else settings.queue_frames
        batch = 1 if live else settings.detect.batch_size
        self._source = source
        self._read = Stage(source.items(), depth, "read", droppable=_is_frame if live else None)
        known = judged(with_looks(self._read.items(), settings, source.info.time_base), detect, batch)
        safe = redacted(followed(known, settings.track, detect.classes, source.info.time_base), redact)
        self._safe = Stage(safe, depth, "anonymize")

    @property
    def items(self) -> Generator[RedactedFrame | CopiedPacket]:
        return self._safe.items()

    @property
    def dropped(self) -> int:
        return self._read.dropped + self._source.dropped

    @property
    def frames_read(self) -> int:
        return self._source.passed - self._read.dropped

    def interrupt(self, error: StoppedError) -> None:
        """A camera has no end of its own: being stopped is how its recording ends well."""
        if self._source.info.live:
            self._source.stop()
        else:
            self._safe.interrupt(error)


def _write_all(stages: _Stages, sink: Sink, summary: Summary, watch: Watch) -> None:
    last = -1
    with closing(stages.items) as items:
        for item in items:
            sink.write(item)
            if isinstance(item, RedactedFrame):
                if item.number <= last:
                    raise DetectionError(f"frame {item.number} came after frame {last}")
                last = item.number
                summary.frames += 1
                summary.found.update(item.detections.classes[label] for label in item.detections.labels)
                watch.written(item)
    summary.dropped_frames = stages.dropped
    if summary.frames != stages.frames_read:
        raise DetectionError(f"{stages.frames_read} frames were read but {summary.frames} written")


def _is_frame(item: Frame | CopiedPacket) -> bool:
    return isinstance(item, Frame)


def _small_looks_line(info: StreamInfo, settings: Settings) -> str:
    every, scale = settings.detect.every, settings.detect.between_scale
    return (
        f"{info.name}: detect.every is {every}: the full look is for one frame of {every}, the others are looked at "
        f"{scale:g} times as large: small objects that come and go between two full looks are missed"
    )


def _opening_line(job: Job, info: StreamInfo, device: str) -> str:
    picture = info.picture
    what = "PREVIEW, NOT ANONYMIZED: boxes are drawn, nothing is hidden" if job.preview else "anonymizing"
    return f"{info.name} ({picture.width}x{picture.height}) -> {job.target} on {device}: {what}"
