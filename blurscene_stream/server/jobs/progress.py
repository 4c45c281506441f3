"""Progress of a job that runs, and what stops it: its length, its time, the room for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from blurscene_stream.config.schema import ServerConfig
from blurscene_stream.errors import SourceError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline import Callbacks, Summary
from blurscene_stream.server.jobs.job_folder import VIDEO, JobFolder, JobRecord, JobState
from blurscene_stream.streams import StreamInfo

RECORD_S = 0.5  # between two records


class Progress:
    """Keeps the record of a running job, and raises what stops it: SourceError, SinkError, what `check` raises.

    check: called twice a second
    """

    def __init__(self, job: JobFolder, config: ServerConfig, check: Callable[[], None]) -> None:
        self._job, self._config, self._check = job, config, check
        self._summary = Summary(VIDEO, "")
        self._total: int | None = None
        self._time_base = Fraction(1)
        self._first_pts: int | None = None
        self._start_s = self._recorded_s = time.monotonic()
        self.callbacks = Callbacks(self._start, self._advance)

    def record(self, state: JobState) -> JobRecord:
        """Return the record of the job in that state, with what has been done so far."""
        counts = dict(self._summary.found)
        changed_s = self._start_s if state is JobState.running else time.monotonic()
        return JobRecord(state, self._summary.frames, self._total, counts, changed_s=changed_s)

    def _start(self, info: StreamInfo) -> None:
        self._total = info.frame_count or None
        self._time_base = info.time_base
        self._check_length(info.duration_s)
        self._record()

    def _advance(self, frame: RedactedFrame) -> None:
        if self._first_pts is None:
            self._first_pts = frame.pts
        time_s = float((frame.pts - self._first_pts) * self._time_base)
        self._summary.add(frame, time_s)
        self._check_length(time_s)  # a header may say anything, or nothing
        if time.monotonic() - self._recorded_s > RECORD_S:
            self._record()

    def _check_length(self, seconds: float) -> None:
        if seconds > self._config.max_video_s:
            raise SourceError(f"{VIDEO}: is longer than {self._config.max_video_s:g} s, the most that is taken")

    def _record(self) -> None:
        self._recorded_s = time.monotonic()
        if self._recorded_s - self._start_s > self._config.job_lifetime_s:
            raise SourceError(f"{VIDEO}: takes longer than {self._config.job_lifetime_s:g} s; send a shorter one")
        self._check()
        self._job.write(self.record(JobState.running))
