"""The runner: one thread of a worker that does its jobs, one after the other, with the worker's detector."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Event, Thread

from blurscene_stream.address import Address
from blurscene_stream.config import Settings
from blurscene_stream.crash_report import type_and_place
from blurscene_stream.errors import (
    DetectionError,
    ReadingError,
    RedactionError,
    SinkError,
    SourceError,
    StoppedError,
    UsageError,
)
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video, render_video
from blurscene_stream.pipeline.detection import Detector
from blurscene_stream.server.jobs.job_folder import (
    DETECTIONS,
    RESULT,
    UPLOADED_DETECTIONS,
    VIDEO,
    JobFolder,
    JobRecord,
    JobState,
)
from blurscene_stream.server.jobs.progress import Progress
from blurscene_stream.server.jobs.spool import Spool
from blurscene_stream.server.options import FilteringDetector
from blurscene_stream.server.responses import ADVICE, INTERNAL_ERROR

SWEEP_S = 10.0
STOP_S = 20.0  # a run ends sooner, at its next frame

FAILURES: Mapping[type[Exception], str] = {
    StoppedError: "the server was stopped; send the video again",
    DetectionError: "the detector failed; nothing was left",
    RedactionError: "a picture could not be redacted; nothing was left",
    ReadingError: "the video could not be read; nothing was left",
    SinkError: "the result could not be written; nothing was left",
}
"""Errors on our side, and what is told of them."""

log = logging.getLogger(__name__)


class Runner:
    """Runs jobs on a thread of its own, and deletes those whose time is over."""

    def __init__(self, spool: Spool, settings: Settings, detector: Detector) -> None:
        self._spool = spool
        self._config = settings.server
        self._detector = detector
        self._waiting: SimpleQueue[tuple[JobFolder, Settings] | None] = SimpleQueue()
        self._stopped = Event()
        self._stop_token = StopToken()
        self._thread = Thread(target=self._work, name="jobs", daemon=True)  # see BatchingDetector
        self._thread.start()

    def submit(self, job: JobFolder, settings: Settings) -> JobRecord:
        """Queue a job whose upload is complete; return its record. Raises SinkError."""
        record = JobRecord(JobState.queued)
        job.write(record)
        self._waiting.put((job, settings))
        return record

    def close(self) -> None:
        """Stop the job that runs; it and those that wait fail."""
        self._stopped.set()
        self._waiting.put(None)
        with suppress(StoppedError):
            self._stop_token.request_stop(StoppedError("the server was stopped", signal.SIGTERM))
        self._thread.join(STOP_S)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                waiting = self._waiting.get(timeout=min(SWEEP_S, self._config.job_lifetime_s))
            except Empty:
                self._sweep()
                continue
            if waiting is None:
                continue
            job, settings = waiting
            try:
                if not self._stopped.is_set():
                    self._run(job, settings)
            except Exception as error:  # without a last record, and nobody to look after it, it has failed
                log.error("%s", f"a job could not be completed: {type_and_place(error)}")
            finally:
                job.release()

    def _sweep(self) -> None:
        try:
            self._spool.sweep(self._config)
        except Exception as error:
            log.error("%s", f"old jobs could not be deleted: {type_and_place(error)}")

    def _run(self, job: JobFolder, settings: Settings) -> None:
        if job.record() is None:  # deleted while it waited
            return
        progress = Progress(job, self._config, self._check)
        try:
            job.write(progress.record(JobState.running))
            self._anonymize(job, _settings_of_job(settings), progress.callbacks)
            record = progress.record(JobState.done)
        except Exception as error:
            if not job.path.exists():  # it was deleted, and that is what the error is about
                return
            record = replace(progress.record(JobState.failed), error=_line(error, job))
        job.end(record)

    def _check(self) -> None:
        """Check that a job may go on. Raises StoppedError, SinkError."""
        self._stop_token.raise_if_stopped()
        if self._spool.used_bytes() > self._config.max_spool_bytes:
            raise SinkError("there is no more room for videos")

    def _anonymize(self, job: JobFolder, settings: Settings, callbacks: Callbacks) -> None:
        video, result, found = (Address(str(job.path / name)) for name in (VIDEO, RESULT, DETECTIONS))
        work, edited = Job(video, result, detections=found), job.path / UPLOADED_DETECTIONS
        if edited.exists():
            render_video(work, edited, settings, callbacks, self._stop_token)
        else:
            detector = FilteringDetector(self._detector, settings)
            anonymize_video(work, settings, callbacks, self._stop_token, lambda _: detector)


def _settings_of_job(settings: Settings) -> Settings:
    """Return the settings of a job: those of the request, with the limits of the server."""
    source = replace(settings.source, max_pixels=settings.server.max_video_pixels)
    return replace(settings, source=source, encode=replace(settings.encode, format=None))


def _line(error: Exception, job: JobFolder) -> str:
    """Return what a client is told of an error: what it can mend, and nothing of our side but which part it was."""
    about_file = isinstance(error, SourceError | UsageError) and not isinstance(error, ReadingError)
    about_file |= isinstance(error, DetectionError) and (job.path / UPLOADED_DETECTIONS).exists()  # no detector ran
    line = str(error).removesuffix(ADVICE).replace(f"{job.path}/", "")
    line = line.removeprefix(f"{VIDEO}: ") if line.startswith(f"{VIDEO}: {UPLOADED_DETECTIONS}: ") else line
    if about_file and str(job.path) not in line:
        return line
    log.error("%s", f"a job failed: {type_and_place(error)}")
    return next((text for kind, text in FAILURES.items() if isinstance(error, kind)), INTERNAL_ERROR)
