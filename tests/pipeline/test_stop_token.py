"""A run is stopped from outside: by a signal, or from another thread, in the order of its items."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from blurscene_stream.address import Address
from blurscene_stream.cli.console import restored_signals, stop_on_signals
from blurscene_stream.errors import StoppedError
from blurscene_stream.pipeline import Job, StopToken, anonymize_video
from blurscene_stream.pipeline.prefetch import Stage
from tests.detectors import SquareDetector
from tests.pipeline.runs import NO_CALLBACKS, PLAIN
from tests.processes import PATIENCE_S


def endless(started: threading.Event) -> Generator[int]:
    """Gives one item, and then works until the test is over."""
    yield 0
    started.set()
    while True:
        time.sleep(0.001)
        yield 1


def test_interrupt_from_another_thread() -> None:
    before = threading.active_count()
    started = threading.Event()
    stage = Stage(endless(started), 1, "read")

    def stop() -> None:
        started.wait(10)
        stage.interrupt(StoppedError("stopped", signal.SIGTERM))

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    with pytest.raises(StoppedError, match="stopped") as caught:
        for _ in stage.items():
            pass
    thread.join(PATIENCE_S)
    assert caught.value.exit_code == 143
    assert threading.active_count() == before


def test_interrupt_by_a_signal_while_the_reader_waits_for_an_item() -> None:
    before = threading.active_count()
    released = threading.Event()

    def stuck() -> Generator[int]:
        yield 0
        released.wait(20)

    stage = Stage(stuck(), 1, "read")

    def handle(*_: object) -> None:
        stage.interrupt(StoppedError("stopped", signal.SIGUSR1))
        released.set()

    old = signal.signal(signal.SIGUSR1, handle)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGUSR1])
    try:
        with pytest.raises(StoppedError):
            timer.start()
            list(stage.items())
    finally:
        signal.signal(signal.SIGUSR1, old)
        timer.join(PATIENCE_S)
    assert threading.active_count() == before


def test_a_request_is_delivered_while_stages_run_and_raised_otherwise() -> None:
    stop_token = StopToken()
    error = StoppedError("stopped", signal.SIGINT)
    delivered: list[StoppedError] = []
    with stop_token.deliver_to(delivered.append):
        stop_token.request_stop(error)
    assert delivered == [error]
    with pytest.raises(StoppedError):
        stop_token.request_stop(error)


def test_a_request_that_was_swallowed_before_the_stages_run_is_not_lost() -> None:
    """Libraries catch errors of any kind while they load."""
    stop_token = StopToken()
    with pytest.raises(StoppedError):
        stop_token.request_stop(StoppedError("stopped", signal.SIGTERM))
    with pytest.raises(StoppedError, match="stopped"), stop_token.deliver_to(lambda _: None):
        pytest.fail("the stages run")


def test_a_request_that_no_stage_heeded_is_not_lost() -> None:
    """The last frame of a file was read when it came: the next file is not begun."""
    stop_token = StopToken()
    with stop_token.deliver_to(lambda _: None):
        stop_token.request_stop(StoppedError("stopped", signal.SIGTERM))
    with pytest.raises(StoppedError, match="stopped"), stop_token.deliver_to(lambda _: None):
        pytest.fail("the next stages run")


@pytest.mark.parametrize("name", ["out.mp4.partial", "out.jsonl.partial"])
def test_a_signal_that_comes_while_a_file_is_opened(
    name: str, walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two instructions: the file is there, and nobody holds it yet."""
    real_open = os.open

    def interrupted(path: Any, *arguments: Any) -> int:
        descriptor = real_open(path, *arguments)
        if str(path).endswith(name):
            signal.raise_signal(signal.SIGTERM)
        return descriptor

    monkeypatch.setattr(os, "open", interrupted)
    stop_token = StopToken()
    job = Job(Address(str(walker)), Address(str(tmp_path / "out.mp4")), detections=Address(str(tmp_path / "out.jsonl")))
    with pytest.raises(StoppedError), restored_signals(), stop_on_signals(stop_token):
        anonymize_video(job, PLAIN, NO_CALLBACKS, stop_token, SquareDetector().load)
    assert not list(tmp_path.glob("out*"))
