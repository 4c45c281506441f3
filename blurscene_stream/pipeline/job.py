"""One run over a video: the job, its callbacks, its summary, and the token that stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from blurscene_stream.address import Address
from blurscene_stream.boxes import NO_TRACK
from blurscene_stream.errors import SinkError, SourceLostError, StoppedError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.streams import StreamInfo

MAX_RECENT_TRACKS = 10_000  # of a camera that is watched for weeks, more than are ever followed at once


@dataclass(frozen=True, slots=True)
class Job:
    """Input and outputs of a run.

    overwrite:  replace a target that exists
    preview:    draw boxes and scores instead of redacting; the target is marked as not anonymized
    detections: file to which the covered boxes of each frame are written; None: no such file
    audit:      audit log to which an entry for the run is added; None: none
    """

    source: Address
    target: Address
    overwrite: bool = False
    preview: bool = False
    detections: Address | None = None
    audit: Address | None = None


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Progress of a run; both are called on the thread that the run was started on.

    on_start: called once with the source, before the first frame
    on_frame: called after each frame
    """

    on_start: Callable[[StreamInfo], None] = lambda _: None
    on_frame: Callable[[RedactedFrame], None] = lambda _: None


@dataclass(slots=True)
class Summary:
    """Result of a run.

    found:          boxes of each class, in all frames together
    tracks:         objects of each class that were followed over time; one that was lost for long counts again
    added:          boxes that tracking added to them
    covered_whole:  corrupt pictures of a file, which are covered whole
    dropped_frames: pictures of a live source that came too fast or could not be decoded
    left_out:       what the source holds and the target does not, in words
    last_s:         time of the last frame in the video
    ended_early:    why a live stream ended before it was stopped, in words; "" when it did not
    audit:          checksum of the run's entry in the audit log; "" without one
    """

    target: str
    device: str
    frames: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    tracks: Counter[str] = field(default_factory=Counter)
    added: int = 0
    covered_whole: int = 0
    dropped_frames: int = 0
    left_out: tuple[str, ...] = ()
    last_s: float = 0.0
    ended_early: str = ""
    audit: str = ""
    _counted_ids: set[int] = field(default_factory=set, repr=False)

    def add(self, frame: RedactedFrame, time_s: float) -> None:
        """Count a frame that was written; time_s: when it is shown, in the video."""
        detections, observed = frame.detections, frame.detections.observed()
        self.frames += 1
        self.last_s = time_s
        self.covered_whole += frame.corrupt
        self.found.update(observed.class_names[class_id] for class_id in observed.class_ids)
        self.added += len(detections) - len(observed)
        for track_id, class_id in zip(detections.track_ids.tolist(), detections.class_ids.tolist(), strict=True):
            if track_id not in self._counted_ids and track_id != NO_TRACK:
                self._counted_ids.add(track_id)
                self.tracks[detections.class_names[class_id]] += 1
        if len(self._counted_ids) > 2 * MAX_RECENT_TRACKS:  # ids rise, and old ones do not come back
            self._counted_ids = set(sorted(self._counted_ids)[-MAX_RECENT_TRACKS:])

    @property
    def kept(self) -> str:
        """What the output of a stream that ended early holds, in words."""
        minutes, seconds = divmod(round(self.last_s, 1), 60)
        time = f"{minutes // 60:02.0f}:{minutes % 60:02.0f}:{seconds:04.1f}"
        return f"{self.ended_early}; {self.target} is complete up to there: {self.frames:,} frames, {time}"

    @property
    def counts(self) -> dict[str, object]:
        """The fields that go into the audit log, as JSON has them."""
        return {
            "device": self.device,
            "frames": self.frames,
            "dropped_frames": self.dropped_frames,
            "covered_whole": self.covered_whole,
            "found": dict(self.found),
            "tracks": dict(self.tracks),
            "added": self.added,
            "left_out": list(self.left_out),
            "ended_early": self.ended_early or None,
        }


class EndedEarlyError(SourceLostError):
    """A live source went away, and the output is complete up to there.

    summary: of what was written
    """

    def __init__(self, source: str, summary: Summary) -> None:
        super().__init__(f"{source}: {summary.kept}")
        self.summary = summary


class DiskFullError(SinkError):
    """The disk of a recording is full, and the output is complete up to there.

    summary: of what was written
    """

    def __init__(self, source: str, summary: Summary) -> None:
        super().__init__(f"{source}: {summary.kept}; make room on the disk")
        self.summary = summary


class StopToken:
    """Stops a run when `request_stop` is called: by a signal handler on the main thread, or by another thread.

    While stages run, the error goes through their queue: raised between any two instructions it could leave a thread
    behind. Work on one thread defers it to the end of a step. Before and after that it is raised at once. A request
    that nobody heeded, since a library swallowed it or the stages were done just then, is raised at the next occasion.
    """

    def __init__(self) -> None:
        self._deliver: Callable[[StoppedError], None] | None = None
        self._raised: StoppedError | None = None
        self._requested: StoppedError | None = None

    def request_stop(self, error: StoppedError) -> None:
        """Stop the run. Raises `error` when no stage runs, and no step.

        Called by another thread than that of the run, the error is of no use where it is raised: the run raises it
        itself, when the next stages or the next step begin.
        """
        self._requested = error
        deliver = self._deliver  # another thread may be at its end just now
        if deliver is None:
            self._raised = error
            raise error
        deliver(error)

    @contextmanager
    def reraise_swallowed(self) -> Generator[None]:
        """libav and what loads a model may swallow our exception and raise their own; re-raise ours."""
        try:
            yield
        except Exception as error:
            if self._raised is None or error is self._raised:
                raise
            raise self._raised from error

    @contextmanager
    def deliver_to(self, deliver: Callable[[StoppedError], None]) -> Generator[None]:
        """Hand requests to `deliver` instead of raising them. Raises the error of one that came before."""
        self._deliver = deliver  # first: a request of another thread is seen by one of the two
        try:
            self.raise_if_stopped()
            yield
        finally:
            self._deliver = None

    @contextmanager
    def defer(self) -> Generator[None]:
        """Hold requests back until `raise_if_stopped`: a file that is begun is finished or deleted."""
        with self.deliver_to(lambda _: None):
            yield

    def raise_if_stopped(self) -> None:
        """Raise the error of a request that came before, if any; called between two steps."""
        if self._requested is not None:
            raise self._requested
