"""One video from a source to a target: read, detect, redact and write, each at its own pace."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.audit import ReadFile, RunRecord, append_run, check_log, withdraw_on_error
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError, DetectionError, StoppedError, UsageError
from blurscene_stream.frames import Frame, RedactedFrame, SinkItem, SourceItem
from blurscene_stream.own_files import DETECTIONS
from blurscene_stream.paths import check_replaced, is_pipe, preview_target, refuse_same
from blurscene_stream.pipeline.detection import (
    DetectionSource,
    LoadDetectionSource,
    LoadDetector,
    Redact,
    load_configured_detector,
    prefix_errors,
)
from blurscene_stream.pipeline.job import Callbacks, DiskFullError, EndedEarlyError, Job, StopToken, Summary
from blurscene_stream.pipeline.prefetch import Stage
from blurscene_stream.pipeline.stages import detector_source, redacted
from blurscene_stream.redact import Preview, Redactor
from blurscene_stream.sidecar import DetectionsFile, DetectionsWriter, Header, PairedSink
from blurscene_stream.sink import Sink, check_target, open_sink
from blurscene_stream.source import Source, open_source
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)

LIVE_QUEUE_FRAMES = 2  # a live picture that waits longer is late


def anonymize_video(
    job: Job,
    settings: Settings,
    callbacks: Callbacks,
    stop_token: StopToken,
    load_detector: LoadDetector = load_configured_detector,
) -> Summary:
    """Write an anonymized copy of a source to a target.

    load_detector: builds the detector, once
    Raises the first error of any stage, a BlurSceneError when it was foreseen; then nothing is left that
    looks finished. Raises EndedEarlyError when a live source went away, DiskFullError when there is no room for more
    of it: the outputs are complete up to there.
    """
    return _write_video(job, settings, callbacks, stop_token, detector_source(load_detector))


def render_video(job: Job, file: Path, settings: Settings, callbacks: Callbacks, stop_token: StopToken) -> Summary:
    """Write an anonymized copy of a video file, covering what the file of detections `file` says; without a detector.

    With the settings of the run that wrote `file`, and the file as it was written, the pictures are those of that run.
    Raises the first error of any stage, as `anonymize_video` does; UsageError for a live source.
    """
    if job.source.live:
        raise UsageError(f"{job.source}: a live stream cannot be rendered, its pictures are gone; give a video file")
    target = preview_target(job.target) if job.preview else job.target
    refuse_same(Address(str(file.absolute())), target, "file of detections and output")
    with DetectionsFile(file, settings) as detections:
        read = ReadFile(file, detections.file) if job.audit else None
        return _write_video(
            job, detections.with_areas(settings), callbacks, stop_token, lambda _: detections, detections_file=read
        )


def _write_video(  # noqa: PLR0913
    job: Job,
    settings: Settings,
    callbacks: Callbacks,
    stop_token: StopToken,
    load_detections: LoadDetectionSource,
    *,
    detections_file: ReadFile | None = None,
) -> Summary:
    job = _checked(job, settings)
    start = datetime.now(timezone.utc)
    loaded = load_detections(settings) if job.source.live else None  # a camera does not wait for a network to load
    with (
        stop_token.reraise_swallowed(),
        _attested_input(job) as input_file,
        open_source(job.source, settings) as source,
    ):
        if input_file is not None:
            input_file.check_opened()
        detections = loaded or load_detections(settings)
        redactor = (Preview if job.preview else Redactor)(settings, detections.class_names)
        stages = _Stages(source, detections, redactor, settings)
        summary = Summary(str(job.target), detections.device_name, left_out=source.info.dropped)
        opening = _opening_line(job, source.info, detections.description, settings)
        for line in (opening, *settings.exceptions):
            log.info("%s", line)
        with _open_target(job, source.info, detections.class_names, settings, stop_token) as sink:
            callbacks.on_start(source.info)
            start_s = time.monotonic()
            with stop_token.deliver_to(partial(_stop, stages, sink)), prefix_errors(source.info.name, ConfigError):
                _write_all(stages, sink, summary, callbacks)
            summary.seconds = time.monotonic() - start_s
            summary.ended_early = _why_ended(source, stages, summary)
            if summary.ended_early and isinstance(sink, PairedSink):
                sink.end_early(summary.ended_early)
            run = RunRecord(job.source, job.target, job.preview, input_file, detections_file, start, summary.counts)
            summary.audit = _complete(sink, job.audit, run, settings)
    if summary.ended_early:
        raise (EndedEarlyError if source.lost else DiskFullError)(source.info.name, summary) from source.lost
    return summary


def _attested_input(job: Job) -> AbstractContextManager[ReadFile | None]:
    """Hold an input file open before it is read, if there is an audit log to attest it in."""
    # Path.is_file raises for a name that is too long, which is for open_source to tell.
    attested = job.audit and job.source.local and os.path.isfile(job.source.text)  # noqa: PTH113
    return ReadFile(job.source.path) if attested else nullcontext()


def _why_ended(source: Source, stages: _Stages, summary: Summary) -> str:
    """Return why a live stream ended before it was stopped, without its name; "" when it did not.

    Raises `source.lost` when there is no frame to keep.
    """
    if source.lost is None:
        return "the disk is full, but for what the end of the file may take" if stages.disk_full else ""
    if summary.frames == 0:
        raise source.lost
    return str(source.lost).removeprefix(f"{source.info.name}: ")


def _checked(job: Job, settings: Settings) -> Job:
    """Refuse outputs that would harm, before any work is done; return the job with the name that a preview gets."""
    if job.preview:
        job = replace(job, target=preview_target(job.target))
    refuse_same(job.source, job.target)
    check_target(job.target, settings, job.overwrite)
    if job.detections:
        _check_detections_path(job.detections, job.source, job.target, job.overwrite)
    if job.audit:
        _check_audit(job.audit, job.source, job.target, job.detections)
    return job


def _check_detections_path(detections: Address, source: Address, target: Address, overwrite: bool) -> None:
    """Refuse a file of detections that cannot be written, before any work is done for it.

    Raises UsageError when it is live, cannot be made or replaced, or is the source or the target under whatever name.
    """
    if not detections.local:
        raise UsageError(f"{detections}: detections are only written to a file")
    refuse_same(source, detections, "input and file of detections")
    refuse_same(detections, target, "file of detections and output")
    refuse_same(target, detections, "output and file of detections")
    check_replaced(detections.path, DETECTIONS, overwrite)


def _check_audit(log: Address, source: Address, target: Address, detections: Address | None) -> None:
    """Refuse an audit log that cannot take the run's entry, before any work is done for it.

    Raises UsageError.
    """
    if not log.local:
        raise UsageError(f"{log}: the audit log is a file")
    for other, what in ((source, "input"), (target, "output"), (detections, "file of detections")):
        if other is not None:
            refuse_same(other, log, f"audit log and {what}")
            refuse_same(log, other, f"audit log and {what}")
    check_log(log.path)


def _complete(sink: Sink | PairedSink, log: Address | None, run: RunRecord, settings: Settings) -> str:
    """Give the output its name, once the audit log tells of it; return the checksum of the entry, "" without a log."""
    output = sink.flush()
    if log is None:
        sink.commit()
        return ""
    entry = append_run(log.path, run, settings, output)
    with withdraw_on_error(log.path, entry):
        sink.commit()
    return str(entry["sha256"])


@contextmanager
def _open_target(
    job: Job, info: StreamInfo, class_names: tuple[str, ...], settings: Settings, stop_token: StopToken
) -> Generator[Sink | PairedSink]:
    """Open the sink for the frames, paired with the file of detections if that is asked for.

    A request to stop waits until a file is open: raised between two instructions it could leave one behind. A pipe
    waits for its reader and a server may not answer: there it is raised at once.
    """
    writer, may_wait = None, job.target.live or is_pipe(job.target)
    with ExitStack() as stack:
        if job.detections is not None:
            header = Header.of(info, class_names, settings.areas.always)
            with stop_token.defer():
                writer = stack.enter_context(DetectionsWriter(job.detections.path, header, settings, job.overwrite))
        with nullcontext() if may_wait else stop_token.defer():
            sink = stack.enter_context(open_sink(job.target, info, settings, job.overwrite))
        if writer is None:
            yield sink
        else:
            writer.start()
            yield PairedSink(sink, writer)


class _Stages:
    """The reader's and the consumer's thread; the third, the writer, is the one that reads `items`."""

    def __init__(self, source: Source, detections: DetectionSource, redact: Redact, settings: Settings) -> None:
        live = source.info.live
        depth = LIVE_QUEUE_FRAMES if live else settings.queue_frames
        self.time_base = source.info.time_base
        self.disk_full = False
        self._source = source
        self._read = Stage(source.items(), depth, "read", droppable=_is_frame if live else None)
        detected = detections.detected(self._read.items(), source.info)
        self._redacted = Stage(redacted(detected, redact), depth, "anonymize")

    @property
    def items(self) -> Generator[SinkItem]:
        return self._redacted.items()

    @property
    def dropped(self) -> int:
        return self._read.dropped + self._source.dropped_frames

    @property
    def frames_read(self) -> int:
        return self._source.passed_frames - self._read.dropped

    def stop(self, error: StoppedError) -> None:
        """A camera has no end of its own: being stopped is how its recording ends well."""
        if self._source.info.live:
            self._source.stop()
        else:
            self._redacted.interrupt(error)
            self._source.stop()

    def end_if_full(self, sink: Sink | PairedSink) -> None:
        """End a live stream, as a stop does, while there is room for the end of its recording."""
        if self._source.info.live and not self.disk_full and sink.is_disk_full():
            self.disk_full = True
            self._source.stop()

    @contextmanager
    def source_stopped_at_exit(self) -> Generator[None]:
        """Stop waiting for the source on leaving: a pipe may be without data for ever."""
        try:
            yield
        finally:
            self._source.stop()


def _stop(stages: _Stages, sink: Sink | PairedSink, error: StoppedError) -> None:
    stages.stop(error)
    sink.interrupt(error)


def _write_all(stages: _Stages, sink: Sink | PairedSink, summary: Summary, callbacks: Callbacks) -> None:
    last = -1
    with closing(stages.items) as items, stages.source_stopped_at_exit():
        for item in items:
            sink.write(item)
            if isinstance(item, RedactedFrame):
                if item.number <= last:
                    raise DetectionError(f"frame {item.number} came after frame {last}")
                last = item.number
                summary.add(item, float(item.pts * stages.time_base))
                callbacks.on_frame(item)
                stages.end_if_full(sink)
    summary.dropped_frames = stages.dropped
    if summary.frames != stages.frames_read:
        raise DetectionError(f"{stages.frames_read} frames were read but {summary.frames} written")


def _is_frame(item: SourceItem) -> bool:
    return isinstance(item, Frame)


def _opening_line(job: Job, info: StreamInfo, by: str, settings: Settings) -> str:
    picture, late_s = info.picture, settings.track.lookahead_s if settings.track.enabled else 0.0
    what = "PREVIEW, NOT ANONYMIZED: boxes are drawn, nothing is hidden" if job.preview else "anonymizing"
    late = f", {late_s:g} s behind, to follow objects over time" if info.live and late_s else ""
    return f"{info.name} ({picture.width}x{picture.height}) -> {job.target} {by}: {what}{late}"
