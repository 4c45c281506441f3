"""Prefetching, and the only threads: a stage runs on its own, a bounded number of items ahead of its reader.

And one function, ahead of who needs its result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
UNDROPPABLE_PER_DROPPABLE = 256  # undroppable items queued per droppable one: seconds of audio
SIGNAL_CHECK_S = 0.2  # how late the handler of a signal may run


@dataclass(frozen=True, slots=True)
class _End:
    """Last item of a queue; `error` ended it, if any."""

    error: BaseException | None = None


def next_item(queue: SimpleQueue[Item]) -> Item:
    """Wait for the next item of a queue, while handlers of signals go on being called.

    Python calls them on the main thread, between two instructions. The system may give the signal to another thread
    though, and then nothing interrupts a wait of the main thread, that would last until the item comes.
    """
    while True:
        with suppress(Empty):
            return queue.get(timeout=SIGNAL_CHECK_S)


def wait_for(thread: Thread) -> None:
    """Wait for the end of a thread, likewise."""
    while thread.is_alive():
        thread.join(SIGNAL_CHECK_S)


class Stage(Generic[Item]):
    """Runs `upstream` on a thread, at most `depth` finished items ahead.

    depth:     at least 1
    name:      of the thread, and in the note that an error gets on its way
    droppable: items that are dropped when the queue is full; without it the thread waits (back-pressure).
               Undroppable items have slots of their own: waiting for one would make everything behind it late
    dropped:   number of items dropped

    Raises ValueError for a depth below 1: such a stage would wait for ever.
    """

    def __init__(
        self,
        upstream: Generator[Item],
        depth: int,
        name: str,
        droppable: Callable[[Item], bool] | None = None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._upstream = upstream
        self._name = name
        self._droppable = droppable
        self._queue: SimpleQueue[Item | _End] = SimpleQueue()
        self._slots = Semaphore(depth)
        self._undroppable_slots = Semaphore(depth * UNDROPPABLE_PER_DROPPABLE)
        self._stopped = Event()
        self.dropped = 0

    def items(self) -> Generator[Item]:
        """Yield the items in order; to be used once.

        An error in `upstream` is raised here, in the reader. Closing this generator closes `upstream`
        on its own thread and waits: no stage outlives its run.
        """
        thread = Thread(target=self._work, name=self._name)
        thread.start()
        try:
            while not isinstance(item := next_item(self._queue), _End):
                self._slots_for(item).release()
                yield item
            if item.error is not None:
                notes = getattr(item.error, "__notes__", [])  # add_note() is from Python 3.11 on
                item.error.__notes__ = [*notes, f"in stage '{self._name}'"]
                raise item.error
        finally:
            self._stopped.set()
            self._slots.release()  # wake a thread that waits for a slot
            self._undroppable_slots.release()
            wait_for(thread)

    def interrupt(self, error: BaseException) -> None:
        """Make the reader raise `error` after the items that are finished. May be called by a signal handler."""
        self._queue.put(_End(error))

    def _work(self) -> None:
        end = _End()
        try:
            for item in self._upstream:
                if not self._take_slot(item):
                    continue
                if self._stopped.is_set():
                    break
                self._queue.put(item)
        except BaseException as error:
            end = _End(error)
        finally:
            self._upstream.close()
            self._queue.put(end)

    def _slots_for(self, item: Item) -> Semaphore:
        undroppable = self._droppable is not None and not self._droppable(item)
        return self._undroppable_slots if undroppable else self._slots

    def _take_slot(self, item: Item) -> bool:
        slots = self._slots_for(item)
        taken = slots.acquire(blocking=self._droppable is None or slots is self._undroppable_slots)  # back-pressure
        self.dropped += not taken
        return taken


@contextmanager
def called_ahead(function: Callable[[], Item], name: str) -> Generator[Callable[[], Item]]:
    """Call `function` on a thread; yield what waits for its result, and returns that or raises its error.

    name: of the thread
    An error that nobody asks for is dropped. Leaving it waits for the thread.
    """
    results, errors = list[Item](), list[BaseException]()

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    def result() -> Item:
        wait_for(thread)
        if errors:
            raise errors[0]
        return results[0]

    thread = Thread(target=call, name=name)
    thread.start()
    try:
        yield result
    finally:
        wait_for(thread)
