"""One detector for many threads: one thread runs it, on the frames of all that wait for it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread

from blurscene_stream.boxes import Detections
from blurscene_stream.crash_report import description, type_and_place
from blurscene_stream.errors import BlurSceneError, DetectionError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detector

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """A call that waits for its answer: `found` or `error`."""

    frames: Sequence[Frame]
    done: Event = field(default_factory=Event)
    found: list[Detections] | None = None
    error: BaseException | None = None


class BatchingDetector:
    """A `Detector` that may be called from any thread, and answers each call as the one behind it does.

    Frames of equal PictureInfo that wait at the same time, or come within `wait_s`, go to it in one batch. How many
    calls wait is up to the callers: each thread has one at most. One thread for all calls, also where a network may be
    called from any: OpenMP keeps as many threads for each caller as there are cores, CUDA libraries plan for each anew.

    ready: the first run is over and went well
    """

    def __init__(  # noqa: PLR0913
        self,
        detector: Detector,
        max_frames: int,
        wait_s: float = 0.0,
        *,
        first_run: Callable[[Detector], None] = lambda _: None,
        apart: bool = False,
        on_batch: Callable[[int, float], None] = lambda _frames, _seconds: None,
    ) -> None:
        """Make it; `start` starts its thread.

        max_frames: in a batch of several calls; 1: each call is a batch, whatever it holds
        first_run:  called on the thread before anything else
        apart:      when a batch of several calls fails, each gets its own run; else all fail
        on_batch:   gets the frames of each batch, and its seconds
        """
        self.class_names = detector.class_names
        self.device_name = detector.device_name
        self._detector = detector
        self._max_frames, self._wait_s = max_frames, wait_s
        self._first_run, self._apart, self._on_batch = first_run, apart, on_batch
        self._changed = Condition()
        self._waiting: deque[_Call] = deque()
        self._closed = False
        self._started = Event()
        self.ready = False
        # A daemon, because gunicorn ends a worker by sys.exit, which waits for all other threads before it calls what
        # would stop this one (atexit: see create_app).
        self._thread = Thread(target=self._work, name="detector", daemon=True)

    def start(self) -> None:
        """Start the thread, which begins with `first_run`."""
        self._thread.start()

    def wait_until_started(self, timeout_s: float) -> bool:
        """Wait for the end of the first run; return whether it went well."""
        self._started.wait(timeout_s)
        return self.ready

    @property
    def alive(self) -> bool:
        """Whether it answers, or will once it is ready."""
        return self._thread.is_alive()

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, in order. Raises DetectionError, or what the detector raises of ours."""
        call = _Call(frames)
        with self._changed:
            if self._closed:
                raise DetectionError("the detector has been stopped")
            self._waiting.append(call)
            self._changed.notify_all()
        call.done.wait()
        if call.found is None:
            raise _own_copy(call.error) from call.error
        return call.found

    def close(self) -> None:
        """Stop the thread after the batch that it is at; calls that wait fail."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        try:
            self._first_run(self._detector)
            self.ready = True
            self._started.set()
            while batch := self._next_batch():
                self._answer(batch)
        except Exception as error:
            log.error("%s", f"the detector failed in its first run: {type_and_place(error)}")
        finally:
            self.ready = False
            with self._changed:
                self._closed = True
                abandoned = list(self._waiting)
                self._waiting.clear()
            for call in abandoned:
                call.done.set()
            self._started.set()

    def _next_batch(self) -> list[_Call]:
        """Wait for calls, and return those that go together; none when the detector is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            batch = [self._waiting.popleft()]
            deadline_s = time.monotonic() + self._wait_s
            self._take_equal(batch)
            while self._room(batch) and (left_s := deadline_s - time.monotonic()) > 0 and not self._closed:
                self._changed.wait(left_s)
                self._take_equal(batch)
            return batch

    def _take_equal(self, batch: list[_Call]) -> None:
        """Move those waiting calls to `batch` that fit in, in their order."""
        picture, others = batch[0].frames[0].picture, deque[_Call]()
        for call in self._waiting:
            fits = call.frames[0].picture == picture and len(call.frames) <= self._room(batch)
            (batch if fits else others).append(call)
        self._waiting = others

    def _room(self, batch: list[_Call]) -> int:
        return self._max_frames - sum(len(call.frames) for call in batch)

    def _answer(self, batch: list[_Call]) -> None:
        """Run the detector, and give each call its part of the answer, or the error."""
        frames = [frame for call in batch for frame in call.frames]
        start_s = time.monotonic()
        try:
            found = self._detector(frames)
            if len(found) != len(frames):
                raise DetectionError(f"the detector answered for {len(found)} of {len(frames)} pictures")
            self._on_batch(len(frames), time.monotonic() - start_s)
        except BaseException as error:
            if self._apart and len(batch) > 1:
                for call in batch:
                    self._answer([call])
                return
            for call in batch:
                call.error = error
        else:
            parts = iter(found)
            for call in batch:
                call.found = [next(parts) for _ in call.frames]
        for call in batch:
            call.done.set()


def _own_copy(error: BaseException | None) -> BlurSceneError:
    """Return an error for one of several threads, each of which adds its own places to it."""
    if isinstance(error, BlurSceneError):
        return type(error)(str(error))
    if error is None:
        return DetectionError("the detector has been stopped")
    return DetectionError(f"the detector failed: {description(error)}")
