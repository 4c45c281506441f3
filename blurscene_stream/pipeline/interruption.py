"""How a signal reaches a run: as an error in the order of its items, or as the end of a live stream."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from blurscene_stream.errors import StoppedError


class Interruption:
    """Stops whatever is going on when `request` is called, from a signal handler on the main thread.

    While stages run, the error goes through their queue: raised between any two instructions it could
    leave a thread behind. Before and after that it is raised at once.
    """

    def __init__(self) -> None:
        self._deliver: Callable[[StoppedError], None] | None = None

    def request(self, error: StoppedError) -> None:
        """Stop. Raises `error` when no stage runs."""
        if self._deliver is None:
            raise error
        self._deliver(error)

    @contextmanager
    def delivered_to(self, deliver: Callable[[StoppedError], None]) -> Generator[None]:
        """While this is open, a request goes to `deliver`."""
        self._deliver = deliver
        try:
            yield
        finally:
            self._deliver = None
