"""Work on several threads at once, and a detector that they share."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings, load_settings
from blurscene_stream.errors import BlurSceneError, DetectionError, DeviceError, StoppedError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline import StopToken, at_once
from blurscene_stream.pipeline.at_once import SharedDetector, run_at_once, shared_detector, with_shared_cores
from tests.detectors import CLASSES, SquareDetector
from tests.processes import wait_until

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


class Parts:
    """Work that waits until it is let go, and tells what runs."""

    def __init__(self, count: int) -> None:
        self.free = [threading.Event() for _ in range(count)]
        self.began: list[int] = []
        self.ended: list[int] = []

    def work(self, number: int) -> Callable[[StopToken], int]:
        def run(token: StopToken) -> int:
            self.began.append(number)
            done = threading.Event()
            with token.deliver_to(lambda _: done.set()):
                wait_until(lambda: self.free[number].is_set() or done.is_set(), pause_s=0.002)
            self.ended.append(number)
            token.raise_if_stopped()
            return number * 10

        return run

    def free_in_turn(self, order: Sequence[int]) -> None:
        """Let each go when the one before has ended."""
        for number in order:
            self.free[number].set()
            wait_until(partial(self.ended.__contains__, number), pause_s=0.002)


def test_results_are_in_order_and_never_more_run_than_asked_for() -> None:
    parts = Parts(5)
    helper = threading.Thread(target=parts.free_in_turn, args=([1, 0, 2, 4, 3],))
    most = 0

    def counted(number: int) -> Callable[[StopToken], int]:
        def run(token: StopToken) -> int:
            nonlocal most
            most = max(most, sum(thread.name.startswith("file ") for thread in threading.enumerate()))
            return parts.work(number)(token)

        return run

    helper.start()
    assert run_at_once([counted(number) for number in range(5)], 2, StopToken()) == [0, 10, 20, 30, 40]
    helper.join()
    assert most == 2


def test_an_error_stops_what_runs_and_begins_nothing_more() -> None:
    parts = Parts(4)

    def fail(_: StopToken) -> int:
        wait_until(lambda: len(parts.began) == 2, pause_s=0.002)
        raise DeviceError("the device is gone")

    with pytest.raises(DeviceError, match="the device is gone"):
        run_at_once([parts.work(0), fail, parts.work(1), parts.work(2)], 3, StopToken())
    assert sorted(parts.began) == sorted(parts.ended) == [0, 1]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "send_to_main", [True, False], ids=["to the main thread", "to another, as systems do now and then"]
)
def test_a_signal_stops_all_and_its_error_is_raised(count: int, send_to_main: bool) -> None:
    parts, token = Parts(6), StopToken()

    def handle(number: int, _frame: object) -> None:
        token.request_stop(StoppedError("stopped by a signal", number))

    def send() -> None:
        wait_until(lambda: len(parts.began) == count, pause_s=0.002)
        thread = threading.main_thread() if send_to_main else threading.current_thread()
        signal.pthread_kill(thread.ident or 0, signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(StoppedError, match=r"^stopped by a signal$") as error:
            run_at_once([parts.work(number) for number in range(6)], count, token)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, previous)
    assert error.value.exit_code == 128 + signal.SIGUSR1
    assert sorted(parts.began) == list(range(count))


def test_a_request_that_came_before_begins_nothing() -> None:
    parts, token = Parts(2), StopToken()
    with pytest.raises(StoppedError):
        token.request_stop(StoppedError("stopped", signal.SIGTERM))
    with pytest.raises(StoppedError):
        run_at_once([parts.work(0), parts.work(1)], 2, token)
    assert not parts.began


def test_no_request_of_another_thread_is_lost_as_a_step_begins() -> None:
    """Between the look at earlier requests and the step there was a gap once."""
    for _ in range(300):
        assert _heard_from_another_thread(StopToken())


def _heard_from_another_thread(token: StopToken) -> bool:
    heard = threading.Event()

    def request() -> None:
        with suppress(StoppedError):
            token.request_stop(StoppedError("stopped", signal.SIGTERM))

    thread = threading.Thread(target=request)
    thread.start()
    try:
        with token.deliver_to(lambda _: heard.set()):
            thread.join()
    except StoppedError:
        return True
    finally:
        thread.join()
    return heard.is_set()


def frame() -> Frame:
    """A frame without anything in it."""
    from blurscene_stream.image import DecodedImage  # noqa: PLC0415

    return DecodedImage(np.zeros((32, 64, 3), np.uint8), "array", lossless=True).frames()[0]


def test_a_detector_that_fails_fails_for_all_that_have_it_and_for_nobody_after() -> None:
    broken = True

    def hook(_: Sequence[Frame]) -> list[Detections] | None:
        if broken:
            raise DetectionError("the network failed")
        return None

    shared = SharedDetector(SquareDetector(hook), 1)
    shared.start()
    first, other = shared.lend(), shared.lend()
    with pytest.raises(DetectionError, match=r"^the network failed$"):
        first([frame()])
    broken = False
    for each in (first, other):
        with pytest.raises(DetectionError, match=r"^the detector failed at another file"):
            each([frame()])
    later = shared.lend()
    assert later.class_names == CLASSES
    assert len(later([frame()])) == 1
    shared.close()


def test_on_a_cpu_a_batch_is_of_one_file_and_on_a_gpu_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Settings] = []

    def load(settings: Settings) -> SquareDetector:
        asked.append(settings)
        return SquareDetector()

    settings = load_settings(["detect.batch_size=4", "device=cpu"])
    with shared_detector(settings, 8, load) as lend:
        assert lend(settings)._shared._max_frames == 1  # type: ignore[attr-defined]
    for count, most in ((2, 8), (8, 16)):
        monkeypatch.setattr(at_once, "choose_device", lambda *_: "cuda:0")
        with shared_detector(settings, count, load) as lend:
            assert lend(settings)._shared._max_frames == most  # type: ignore[attr-defined]
        assert asked[-1].detect.batch_size == most
    assert asked[0].detect.batch_size == 4


def test_the_error_of_loading_is_raised_and_leaves_no_thread() -> None:
    def load(_: Settings) -> SquareDetector:
        raise BlurSceneError("no weights")

    with pytest.raises(BlurSceneError, match="no weights"), shared_detector(load_settings(["device=cpu"]), 2, load):
        pytest.fail("there is no detector")


def test_cores_are_shared_unless_the_settings_say_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "core_count", lambda: 128)
    shared = with_shared_cores(load_settings(), 2)
    assert (shared.source.threads, shared.encode.threads) == (16, 16)  # x265 does not open with more
    monkeypatch.setattr(at_once, "core_count", lambda: 16)
    shared = with_shared_cores(load_settings(), 3)
    assert (shared.source.threads, shared.encode.threads, shared.detect.threads) == (6, 6, 0)
    kept = with_shared_cores(load_settings(["encode.threads=1", "source.threads=2"]), 3)
    assert (kept.source.threads, kept.encode.threads) == (2, 1)
