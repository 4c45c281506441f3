"""One detector for many threads: what goes in one batch, and that each call gets its own answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.batching import BatchingDetector
from blurscene_stream.pipeline.detection import Detector
from tests.detectors import CLASSES
from tests.processes import PATIENCE_S, wait_until


def frame_of(mark: int, width: int = 64) -> Frame:
    """A frame in which `Marks` finds a box at x = `mark`."""
    samples = np.full((32, width, 3), mark, np.uint8)
    return DecodedImage(samples, "array", lossless=True).frames()[0]


class Marks:
    """Finds a box that depends on the picture; holds each call up until `gate` is open."""

    class_names = CLASSES
    device_name = "test"

    def __init__(self) -> None:
        self.gate, self.busy = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []
        self.broken: int | None = None

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        marks = [int(frame.planes[0][0, 0]) for frame in frames]
        if marks != [0]:  # the first run
            self.busy.set()
            assert self.gate.wait(PATIENCE_S)
            self.batches.append(marks)
        if self.broken in marks:
            raise RuntimeError("a broken picture")
        return [
            Detections(
                np.array([[mark, 0, 60, 30]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES
            )
            for mark in marks
        ]


Ask = Callable[..., Future[list[Detections]]]


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture(params=[False])
def ask(marks: Marks, request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Call a `BatchingDetector` of at most 4 frames a batch from a thread of its own; the first call is at work.

    Its parameter is whether calls that fail together are tried apart.
    """
    detector = BatchingDetector(marks, max_frames=4, apart=request.param)
    detector.start()
    assert detector.wait_until_started(PATIENCE_S)
    waiting = 0
    with ThreadPoolExecutor(32) as pool:

        def call(*frames: Frame) -> Future[list[Detections]]:
            nonlocal waiting
            answer = pool.submit(detector, frames)
            if not marks.busy.wait(PATIENCE_S):
                pytest.fail("the first call does not reach the detector")
            wait_until(lambda: len(detector._waiting) >= waiting, pause_s=0.001)
            waiting += 1
            return answer

        yield call
        marks.gate.set()
    detector.close()


def marks_of(answer: Future[list[Detections]]) -> list[int]:
    return [int(found.xyxy[0, 0]) for found in answer.result(PATIENCE_S)]


def test_what_waits_goes_in_one_batch_and_each_gets_its_own(ask: Ask, marks: Marks) -> None:
    answers = [ask(frame_of(mark)) for mark in range(1, 7)]
    marks.gate.set()
    assert [marks_of(answer) for answer in answers] == [[mark] for mark in range(1, 7)]
    assert marks.batches == [[1], [2, 3, 4, 5], [6]]


def test_only_equal_pictures_go_together(ask: Ask, marks: Marks) -> None:
    answers = [ask(frame_of(1)), ask(frame_of(2)), ask(frame_of(3, width=80)), ask(frame_of(4)), ask(frame_of(5, 80))]
    marks.gate.set()
    assert [marks_of(answer) for answer in answers] == [[1], [2], [3], [4], [5]]
    assert marks.batches == [[1], [2, 4], [3, 5]]


def test_frames_of_a_call_stay_together(ask: Ask, marks: Marks) -> None:
    answers = [ask(frame_of(1)), ask(frame_of(2)), ask(*map(frame_of, (3, 4, 5, 6, 7))), ask(frame_of(8))]
    marks.gate.set()
    assert [marks_of(answer) for answer in answers] == [[1], [2], [3, 4, 5, 6, 7], [8]]
    assert marks.batches == [[1], [2, 8], [3, 4, 5, 6, 7]]


FAILED = r"^the detector failed: RuntimeError: a broken picture \(test_batching\.py, line \d+\)$"


@pytest.mark.parametrize("ask", [True], indirect=True)
def test_a_picture_that_breaks_the_detector_breaks_no_other_where_calls_are_tried_apart(ask: Ask, marks: Marks) -> None:
    marks.broken = 3
    answers = [ask(frame_of(mark)) for mark in range(1, 5)]
    marks.gate.set()
    with pytest.raises(DetectionError, match=FAILED):
        answers[2].result(PATIENCE_S)
    assert [marks_of(answers[index]) for index in (0, 1, 3)] == [[1], [2], [4]]


def test_else_it_breaks_all_of_its_batch_and_nothing_is_tried_again(ask: Ask, marks: Marks) -> None:
    marks.broken = 3
    answers = [ask(frame_of(mark)) for mark in range(1, 5)]
    marks.gate.set()
    for answer in answers[1:]:
        with pytest.raises(DetectionError, match=FAILED):
            answer.result(PATIENCE_S)
    assert marks_of(answers[0]) == [1]
    assert marks.batches == [[1], [2, 3, 4]]


def test_an_answer_for_too_few_frames_is_an_error() -> None:
    class Short(Marks):
        def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
            return super().__call__(frames)[1:]

    short = Short()
    short.gate.set()
    detector = BatchingDetector(short, max_frames=2)
    detector.start()
    with pytest.raises(DetectionError, match="answered for 1 of 2 pictures"):
        detector([frame_of(1), frame_of(2)])
    detector.close()


def test_what_fails_in_counting_a_batch_keeps_nobody_waiting(marks: Marks) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more room")

    marks.gate.set()
    detector = BatchingDetector(marks, max_frames=2, on_batch=fail)
    detector.start()
    with ThreadPoolExecutor(1) as pool, pytest.raises(DetectionError, match="no more room"):
        pool.submit(detector, [frame_of(1)]).result(PATIENCE_S / 2)
    detector.close()


def test_a_batch_waits_for_pictures_that_come_in_time(marks: Marks) -> None:
    detector = BatchingDetector(marks, max_frames=2, wait_s=PATIENCE_S)
    marks.gate.set()
    detector.start()
    assert detector.wait_until_started(PATIENCE_S)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda mark: detector([frame_of(mark)]), (1, 2), timeout=PATIENCE_S / 2))
    assert [len(found) for found in answers] == [1, 1]
    assert [sorted(batch) for batch in marks.batches] == [[1, 2]]
    detector.close()


def test_after_the_end_calls_fail_and_no_thread_is_left(marks: Marks) -> None:
    detector = BatchingDetector(marks, max_frames=2)
    detector.start()
    assert detector.wait_until_started(PATIENCE_S)
    detector.close()
    assert not detector.alive and not detector.ready
    with pytest.raises(DetectionError, match="has been stopped"):
        detector([frame_of(1)])


def test_a_detector_that_fails_in_its_first_run_is_never_ready(marks: Marks) -> None:
    def fail(_: Detector) -> None:
        raise RuntimeError("a broken library")

    detector = BatchingDetector(marks, max_frames=2, first_run=fail)
    detector.start()
    assert not detector.wait_until_started(PATIENCE_S)
    with pytest.raises(DetectionError, match="has been stopped"):
        detector([frame_of(1)])
    detector.close()
