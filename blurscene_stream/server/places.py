"""Places for requests: how many are worked on at the same time, and how many pixels they hold in memory."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Condition, Lock


class Places:
    """A number of places, and of pixels.

    taken: places that are taken
    """

    def __init__(self, count: int, pixels: int, on_change: Callable[[int], None] = lambda _taken: None) -> None:
        """`on_change`: gets `taken` after each change of it."""
        self.taken = 0
        self._on_change = on_change
        self._count, self._free_pixels = count, pixels
        self._changed, self._turn = Condition(), Lock()

    def take(self) -> bool:
        """Take a place, to be given back by `give_back`; return False when there is none."""
        with self._changed:
            if self.taken == self._count:
                return False
            self._set_taken(self.taken + 1)
            return True

    def give_back(self) -> None:
        """Give a place back."""
        with self._changed:
            self._set_taken(self.taken - 1)

    def _set_taken(self, taken: int) -> None:
        self.taken = taken
        self._on_change(taken)

    @contextmanager
    def pixels(self, count: int) -> Generator[None]:
        """Hold memory for `count` pixels, of which there are never more than all; wait for it, in the order of calls.

        A file of some kilobytes may hold a picture of hundreds of megabytes: `take` alone bounds nothing.
        """
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free_pixels >= count)
            self._free_pixels -= count
        try:
            yield
        finally:
            with self._changed:
                self._free_pixels += count
                self._changed.notify_all()
