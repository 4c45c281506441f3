"""One video from its source to its target: read, detect, redact and write, each at its own pace."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone

from blurscene_stream.address import Address
from blurscene_stream.audit import Ran, record, withdrawn_on_error
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError, DetectionError, StoppedError
from blurscene_stream.frames import CopiedPacket, Frame, RedactedFrame
from blurscene_stream.pipeline.anonymize import redacted
from blurscene_stream.pipeline.interruption import Interruption
from blurscene_stream.pipeline.job import Job, Summary, Watch
from blurscene_stream.pipeline.judge import LoadDetector, Redact, load_torch_detector, named
from blurscene_stream.pipeline.judgement import Judgement, LoadJudgement, by_detector
from blurscene_stream.pipeline.prefetch import Stage
from blurscene_stream.pipeline.targets import check_audit, check_beside, preview_target, refuse_same
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.sidecar.header import Header
from blurscene_stream.sidecar.writing import DetectionsWriter, Pair
from blurscene_stream.sink import Sink, check_target, open_sink
from blurscene_stream.source import Source, open_source
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)

LIVE_QUEUE_FRAMES = 2  # a live picture that waits longer is late


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
    return write_video(job, settings, watch, interruption, by_detector(load_detector))


def write_video(
    job: Job, settings: Settings, watch: Watch, interruption: Interruption, load_judgement: LoadJudgement
) -> Summary:
    """Write a copy of a source to a target in which everything is covered that must be, as a judgement says.

    load_judgement: makes what judges the pictures, once
    Raises as `anonymize_video` does.
    """
    if job.preview:
        job = replace(job, target=preview_target(job.target))
    refuse_same(job.source, job.target)
    check_target(job.target, settings, job.overwrite)
    if job.detections:
        check_beside(job.detections, job.source, job.target, job.overwrite)
    if job.audit:
        check_audit(job.audit, job.source, job.target, job.detections)
    began = datetime.now(timezone.utc)
    ready = load_judgement(settings) if job.source.live else None  # a camera does not wait for a network to load
    with interruption.remembered(), open_source(job.source, settings) as source:
        judgement = ready or load_judgement(settings)
        redactor = (Preview if job.preview else Redactor)(settings, judgement.classes)
        stages = _Stages(source, judgement, redactor, settings)
        summary = Summary(str(job.target), judgement.device_name, left_out=source.info.dropped)
        opening = _opening_line(job, source.info, judgement.words, settings)
        for line in filter(None, (opening, settings.areas.in_words)):
            log.info("%s", line)
        with _open_target(job, source.info, judgement.classes, settings) as sink:
            watch.started(source.info)
            start_s = time.monotonic()
            with interruption.delivered_to(stages.interrupt), named(source.info.name, ConfigError):
                _write_all(stages, sink, summary, watch)
            summary.seconds = time.monotonic() - start_s
            ran = Ran(job.source, job.target, job.preview, judgement.file, began, summary.told)
            summary.audit = _complete(sink, job.audit, ran, settings)
    return summary


def _complete(sink: Sink | Pair, log: Address | None, ran: Ran, settings: Settings) -> str:
    """Give the output its name, once the audit log tells of it; return the checksum of the entry, "" without a log."""
    made = sink.flush()
    if log is None:
        sink.commit()
        return ""
    entry = record(log.path, ran, settings, made)
    with withdrawn_on_error(log.path, entry):
        sink.commit()
    return str(entry["sha256"])


@contextmanager
def _open_target(job: Job, info: StreamInfo, classes: tuple[str, ...], settings: Settings) -> Generator[Sink | Pair]:
    """Where the frames go, and what was covered in them if that is asked for."""
    if job.detections is None:
        with open_sink(job.target, info, settings, job.overwrite) as sink:
            yield sink
        return
    header = Header.of(info, classes, settings.areas.always)
    with (
        DetectionsWriter(job.detections.path, header, settings, job.overwrite) as lines,
        open_sink(job.target, info, settings, job.overwrite) as sink,
    ):
        lines.start()
        yield Pair(sink, lines)


class _Stages:
    """The reader's and the consumer's thread; the third, the writer, is the one that reads `items`."""

    def __init__(self, source: Source, judgement: Judgement, redact: Redact, settings: Settings) -> None:
        live = source.info.live
        depth = LIVE_QUEUE_FRAMES if live else settings.queue_frames
        self._source = source
        self._read = Stage(source.items(), depth, "read", droppable=_is_frame if live else None)
        known = judgement.judged(self._read.items(), source.info)
        self._safe = Stage(redacted(known, redact), depth, "anonymize")

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
            self._source.stop()

    @contextmanager
    def given_up(self) -> Generator[None]:
        """When this is left, the source is not waited for any more: a pipe may be without data for ever."""
        try:
            yield
        finally:
            self._source.stop()


def _write_all(stages: _Stages, sink: Sink | Pair, summary: Summary, watch: Watch) -> None:
    last = -1
    with closing(stages.items) as items, stages.given_up():
        for item in items:
            sink.write(item)
            if isinstance(item, RedactedFrame):
                if item.number <= last:
                    raise DetectionError(f"frame {item.number} came after frame {last}")
                last = item.number
                summary.frames += 1
                summary.covered_whole += item.corrupt
                seen = item.detections.observed()
                summary.found.update(seen.class_names[label] for label in seen.class_ids)
                summary.added += len(item.detections) - len(seen)
                watch.written(item)
    summary.dropped_frames = stages.dropped
    if summary.frames != stages.frames_read:
        raise DetectionError(f"{stages.frames_read} frames were read but {summary.frames} written")


def _is_frame(item: Frame | CopiedPacket) -> bool:
    return isinstance(item, Frame)


def _opening_line(job: Job, info: StreamInfo, by: str, settings: Settings) -> str:
    picture, late_s = info.picture, settings.track.lookahead_s if settings.track.enabled else 0.0
    what = "PREVIEW, NOT ANONYMIZED: boxes are drawn, nothing is hidden" if job.preview else "anonymizing"
    late = f", {late_s:g} s behind, to follow objects over time" if info.live and late_s else ""
    return f"{info.name} ({picture.width}x{picture.height}) -> {job.target} {by}: {what}{late}"
