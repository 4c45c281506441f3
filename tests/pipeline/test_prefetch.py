"""Stages keep the order, hand errors on, run ahead no further than they may, and end with their run."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.pipeline.prefetch import Stage, called_ahead
from tests.profiles import examples


class BrokenError(Exception):
    """What a stage under test raises."""


@dataclass
class Numbers:
    """A stage's upstream: 0, 1, 2 ... and what became of it.

    error_at: raises BrokenError in place of this number
    made:     how many it has yielded or is about to
    closed:   name of the thread that closed or finished it
    """

    length: int
    error_at: int | None = None
    made: int = 0
    closed: str = ""
    threads: set[str] = field(default_factory=set)

    def items(self) -> Generator[int]:
        try:
            for number in range(self.length):
                self.threads.add(threading.current_thread().name)
                if number == self.error_at:
                    raise BrokenError(f"at {number}")
                self.made += 1
                yield number
        finally:
            self.closed = threading.current_thread().name


def doubled(numbers: Generator[int], error_at: int | None) -> Generator[int]:
    with closing(numbers):
        for number in numbers:
            if number == error_at:
                raise BrokenError(f"doubling {number}")
            yield 2 * number


def test_all_items_in_order_from_another_thread() -> None:
    before = threading.active_count()
    numbers = Numbers(1000)
    assert list(Stage(numbers.items(), 3, "count").items()) == list(range(1000))
    assert numbers.threads == {"count"}
    assert numbers.closed == "count"
    assert threading.active_count() == before


def test_an_error_is_raised_in_the_reader_after_what_was_finished() -> None:
    seen: list[int] = []
    with pytest.raises(BrokenError, match="at 7") as caught:
        seen.extend(Stage(Numbers(20, error_at=7).items(), 2, "count").items())
    assert caught.value.__notes__ == ["in stage 'count'"]
    assert seen == list(range(7))


def test_every_stage_on_the_way_is_noted() -> None:
    first = Stage(Numbers(5, error_at=2).items(), 1, "read")
    second = Stage(doubled(first.items(), None), 1, "double")
    with pytest.raises(BrokenError) as caught:
        list(second.items())
    assert caught.value.__notes__ == ["in stage 'read'", "in stage 'double'"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()])
def test_errors_of_any_kind_come_through(error: BaseException) -> None:
    def upstream() -> Generator[int]:
        yield 1
        raise error

    with pytest.raises(type(error)):
        list(Stage(upstream(), 1, "read").items())


@pytest.mark.parametrize("depth", [0, -1])
def test_a_stage_that_would_wait_for_ever_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth must be at least 1, got {depth}"):
        Stage(Numbers(1).items(), depth, "count")


def test_a_stage_that_is_never_read_starts_no_thread() -> None:
    before = threading.active_count()
    Stage(Numbers(5).items(), 1, "count").items().close()
    assert threading.active_count() == before


def test_closing_early_waits_until_upstream_is_closed_on_its_own_thread() -> None:
    before = threading.active_count()
    numbers = Numbers(10_000)
    with closing(Stage(numbers.items(), 4, "count").items()) as items:
        assert [next(items) for _ in range(3)] == [0, 1, 2]
    assert numbers.closed == "count"
    assert numbers.made <= 3 + 4 + 2
    assert threading.active_count() == before


def test_it_runs_ahead_as_far_as_it_may_and_no_further() -> None:
    numbers = Numbers(100)
    with closing(Stage(numbers.items(), 5, "count").items()) as items:
        next(items)
        deadline_s = time.monotonic() + 5
        while numbers.made < 7 and time.monotonic() < deadline_s:
            time.sleep(0.001)
        time.sleep(0.05)  # time to do what it must not
        # one was read, five wait, one is made and has no place yet
        assert numbers.made == 7


@pytest.mark.parametrize("waited_for", ["an item", "a function called ahead"])
def test_a_signal_that_another_thread_got_is_handled_while_the_main_thread_waits(waited_for: str) -> None:
    handled = threading.Event()

    def send() -> bool:
        time.sleep(0.1)  # the main thread waits by then
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        return handled.wait(10)

    def upstream() -> Generator[bool]:
        yield send()

    previous = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
    try:
        if waited_for == "an item":
            assert list(Stage(upstream(), 1, "read").items()) == [True]
        else:
            with called_ahead(send, "ahead") as result:
                assert result()
    finally:
        signal.signal(signal.SIGUSR1, previous)


points = st.one_of(st.none(), st.integers(0, 30))


@examples(300)
@given(
    length=st.integers(0, 30),
    depths=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    read_error=points,
    double_error=points,
    close_after=points,
)
def test_two_stages_in_a_row(
    length: int, depths: tuple[int, int], read_error: int | None, double_error: int | None, close_after: int | None
) -> None:
    """Whatever happens where: what comes is a prefix in order, the first error wins, and no thread is left."""
    before = threading.active_count()
    numbers = Numbers(length, read_error)
    first = Stage(numbers.items(), depths[0], "read")
    second = Stage(doubled(first.items(), double_error), depths[1], "double")
    ends = {"end": length, "read": read_error, "double": double_error, "close": close_after}
    seen: list[int] = []
    raised = None
    items = second.items()
    try:
        with closing(items):
            while close_after is None or len(seen) < close_after:
                seen.append(next(items))
                # one is in the hands of each stage, and one in ours
                assert numbers.made <= len(seen) + sum(depths) + 2
    except StopIteration:
        raised = "end"
    except BrokenError as error:
        raised = "double" if "doubling" in str(error) else "read"
    first_end = min(point for point in ends.values() if point is not None)
    assert seen == [2 * number for number in range(first_end)]
    assert ends[raised or "close"] == first_end
    assert numbers.closed == ("read" if close_after != 0 else "")
    assert threading.active_count() == before


@examples(100)
@given(depth=st.integers(1, 4), pattern=st.lists(st.booleans(), max_size=60))
def test_what_may_be_dropped_goes_whole_and_nothing_else(depth: int, pattern: list[bool]) -> None:
    """True: may be dropped. The reader is slow: it takes nothing until the stage waits or has ended."""
    before = threading.active_count()
    upstream = list(enumerate(pattern))
    stage = Stage((item for item in upstream), depth, "read", droppable=lambda item: item[1])
    seen = []
    with closing(stage.items()) as items:
        for item in items:
            time.sleep(0.0005)
            seen.append(item)
    assert [item for item in seen if not item[1]] == [item for item in upstream if not item[1]]
    assert sorted(seen) == seen
    assert len(seen) + stage.dropped == len(upstream)
    assert len(set(seen)) == len(seen)
    assert threading.active_count() == before


def test_a_stage_without_a_place_drops_instead_of_waiting() -> None:
    made = threading.Event()

    def upstream() -> Generator[int]:
        yield from range(100)
        made.set()

    stage = Stage(upstream(), 2, "read", droppable=lambda _: True)
    items = stage.items()
    with closing(items):
        seen = [next(items)]
        assert made.wait(10), "the stage waits although it may drop"
        seen += items
    assert len(seen) + stage.dropped == 100
    assert len(seen) <= 3  # two places, and the one that was read


def test_a_function_called_ahead_runs_beside_the_caller() -> None:
    before, go = threading.active_count(), threading.Event()
    with called_ahead(lambda: go.wait(5) and threading.current_thread().name, "ahead") as result:
        go.set()
        assert [result(), result()] == ["ahead", "ahead"]
    assert threading.active_count() == before


def test_the_error_of_a_function_called_ahead_is_raised_for_who_asks() -> None:
    def broken() -> int:
        raise BrokenError("ahead")

    with called_ahead(broken, "ahead"):
        pass  # nobody asks
    with called_ahead(broken, "ahead") as result, pytest.raises(BrokenError, match="ahead"):
        result()


def test_an_error_of_the_caller_waits_for_the_function_called_ahead() -> None:
    before, ended = threading.active_count(), list[float]()

    def slow() -> None:
        time.sleep(0.1)
        ended.append(time.monotonic())

    with pytest.raises(BrokenError), called_ahead(slow, "ahead"):
        raise BrokenError("beside it")
    assert ended
    assert threading.active_count() == before
