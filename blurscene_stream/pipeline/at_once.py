"""Several files at once: each on threads of its own, all with one detector.

Threads and not processes: a process of its own for each file would load its own network, on a GPU with gigabytes beside
it, and a detector gets larger batches of all files than of one. What Python itself does with a frame (tracking, shots,
redaction: some milliseconds) no two threads do at the same time; docs/performance.md says where that is the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect.device import choose_device
from blurscene_stream.errors import DetectionError, StoppedError
from blurscene_stream.frames import Frame
from blurscene_stream.machine import core_count
from blurscene_stream.pipeline.batching import BatchingDetector
from blurscene_stream.pipeline.detection import Detector, LoadDetector
from blurscene_stream.pipeline.job import StopToken
from blurscene_stream.pipeline.prefetch import next_item, wait_for

GATHERED_FRAMES = 16  # of all files in one batch; a GPU is hardly faster with more of them, and needs memory for each
MAX_THREADS = 16  # of a decoder or encoder: x265 does not open with more, and FFmpeg's decoders take no more themselves

Item = TypeVar("Item")
Work = Callable[[StopToken], Item]


def run_at_once(work: Sequence[Work[Item]], count: int, stop_token: StopToken) -> list[Item]:
    """Call each of `work` on a thread of its own, `count` at the same time, in order; return what they return.

    Each is given a stop token of its own. An error of one, or a request to `stop_token`, stops those that run, and no
    other is begun. When all have ended, the first error is raised. To be called on the main thread.
    """
    return _Run(work, count).results(stop_token)


class _Run(Generic[Item]):
    """The threads of `run_at_once`, looked after by the main thread, which signal handlers interrupt anywhere."""

    def __init__(self, work: Sequence[Work[Item]], count: int) -> None:
        self._waiting = iter(enumerate(work))
        self._count = count
        self._running: dict[int, tuple[Thread, StopToken]] = {}
        self._ended: SimpleQueue[tuple[int, BaseException | None]] = SimpleQueue()
        self._results: dict[int, Item] = {}
        self._error: BaseException | None = None

    def results(self, stop_token: StopToken) -> list[Item]:
        try:
            with stop_token.deliver_to(self._stop):
                self._start_more()
                while self._running:
                    index, error = next_item(self._ended)
                    wait_for(self._running.pop(index)[0])
                    if error is not None:
                        self._stop(error)
                    self._start_more()
        except BaseException as error:  # such as no more threads
            self._stop(error)
            raise
        finally:
            for thread, _ in self._running.values():
                if thread.ident is not None:  # it was started
                    wait_for(thread)
        if self._error is not None:
            raise self._error
        return [self._results[index] for index in sorted(self._results)]

    def _start_more(self) -> None:
        while self._error is None and len(self._running) < self._count:
            index, work = next(self._waiting, (None, None))
            if index is None or work is None:
                return
            token = StopToken()
            thread = Thread(target=self._call, args=(index, work, token), name=f"file {index}")
            self._running[index] = thread, token
            if self._error is not None:  # a request came before the token could get it
                del self._running[index]
                return
            thread.start()

    def _stop(self, error: BaseException) -> None:
        """Keep the first error, begin nothing more, and stop what runs."""
        self._error = self._error or error
        signal_number = error.exit_code - 128 if isinstance(error, StoppedError) else 0
        for _, token in tuple(self._running.values()):
            with suppress(StoppedError):  # it is for the other thread
                token.request_stop(StoppedError(str(error), signal_number))  # each its own: threads add notes to them

    def _call(self, index: int, work: Work[Item], token: StopToken) -> None:
        failure: BaseException | None = None
        try:
            token.raise_if_stopped()
            self._results[index] = work(token)
        except BaseException as error:
            failure = error
        self._ended.put((index, failure))


class SharedDetector(BatchingDetector):
    """A detector for several files at once. When it fails, it fails for all files that have it just then.

    failures: how often it has failed so far
    """

    failures = 0

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """See `BatchingDetector`."""
        try:
            return super().__call__(frames)
        except BaseException:
            self.failures += 1
            raise

    def lend(self) -> Detector:
        """Return the detector for one file, from now on."""
        return _Lent(self)


class _Lent:
    """A `SharedDetector` in the hands of one file, until it fails, at whichever."""

    def __init__(self, shared: SharedDetector) -> None:
        self._shared, self._failures = shared, shared.failures
        self.class_names, self.device_name = shared.class_names, shared.device_name

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        if self._shared.failures != self._failures:
            raise DetectionError("the detector failed at another file, which was worked on at the same time")
        return self._shared(frames)


@contextmanager
def shared_detector(settings: Settings, count: int, load_detector: LoadDetector) -> Generator[LoadDetector]:
    """Load the detector for `count` files at once; yield what returns it for one of them.

    On a GPU it gets the frames of several files in one batch. A CPU takes one picture after the other in any case, and
    there a batch holds frames of one file alone: all is calculated as it is when the file is alone.
    Raises what loading it raises.
    """
    device = choose_device(settings.device, settings.detect.backend)
    detect, max_frames = settings.detect, 1
    if device != "cpu":
        max_frames = max(detect.batch_size, min(detect.batch_size * count, GATHERED_FRAMES))
        detect = replace(detect, batch_size=max_frames)
    shared = SharedDetector(load_detector(replace(settings, device=device, detect=detect)), max_frames)
    shared.start()
    try:
        yield lambda _: shared.lend()
    finally:
        shared.close()


def with_shared_cores(settings: Settings, count: int) -> Settings:
    """Return settings in which decoder and encoder of each of `count` files have their share of the cores.

    Only where the settings leave it to them: each of them would take threads for all cores, and memory for each thread.
    """
    threads = min(MAX_THREADS, -(-core_count() // count))
    source, encode = settings.source, settings.encode
    return replace(
        settings,
        source=replace(source, threads=source.threads or threads),
        encode=replace(encode, threads=encode.threads or threads),
    )
