"""The only threads: a stage runs on its own thread, a bounded number of items ahead of whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
LIGHT_PER_PLACE = 256  # items that never go, for each one that may: sound, of seconds


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes after this; `error` is why, when it is not simply the end."""

    error: BaseException | None = None


class Stage(Generic[Item]):
    """Runs `upstream` on a thread, at most `depth` finished items ahead.

    depth:     at least 1
    name:      of the thread, and in the note that an error gets on its way
    droppable: items that go, whole, when there is no place for them; without it the thread waits for a place.
               The other items have places of their own: waiting for one would make everything behind it late
    dropped:   how many went

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
        self._places = Semaphore(depth)
        self._light_places = Semaphore(depth * LIGHT_PER_PLACE)
        self._stopped = Event()
        self.dropped = 0

    def items(self) -> Generator[Item]:
        """The items in order; to be used once.

        An error in `upstream` is raised here, in the reader. Closing this generator closes `upstream`
        on its own thread and waits: no stage outlives its run.
        """
        thread = Thread(target=self._work, name=self._name)
        thread.start()
        try:
            while not isinstance(item := self._queue.get(), _End):
                self._places_for(item).release()
                yield item
            if item.error is not None:
                notes = getattr(item.error, "__notes__", [])  # add_note() is from Python 3.11 on
                item.error.__notes__ = [*notes, f"in stage '{self._name}'"]
                raise item.error
        finally:
            self._stopped.set()
            self._places.release()  # wake a thread that waits for a place
            self._light_places.release()
            thread.join()

    def interrupt(self, error: BaseException) -> None:
        """Make the reader raise `error` after the items that are finished. May be called by a signal handler."""
        self._queue.put(_End(error))

    def _work(self) -> None:
        end = _End()
        try:
            for item in self._upstream:
                if not self._take_place(item):
                    continue
                if self._stopped.is_set():
                    break
                self._queue.put(item)
        except BaseException as error:
            end = _End(error)
        finally:
            self._upstream.close()
            self._queue.put(end)

    def _places_for(self, item: Item) -> Semaphore:
        light = self._droppable is not None and not self._droppable(item)
        return self._light_places if light else self._places

    def _take_place(self, item: Item) -> bool:
        places = self._places_for(item)
        got = places.acquire(blocking=self._droppable is None or places is self._light_places)  # back-pressure
        self.dropped += not got
        return got
