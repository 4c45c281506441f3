"""How a signal reaches a run: as an error in the order of its items, or as the end of a live stream."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from blurscene_stream.errors import BlurSceneError, StoppedError


class Interruption:
    """Stops whatever is going on when `request` is called, from a signal handler on the main thread.

    While stages run, the error goes through their queue: raised between any two instructions it could
    leave a thread behind. Work on one thread has it wait for the end of a step. Before and after that it is
    raised at once.
    """

    def __init__(self) -> None:
        self._deliver: Callable[[StoppedError], None] | None = None
        self._raised: StoppedError | None = None
        self._waiting: list[StoppedError] = []

    def request(self, error: StoppedError) -> None:
        """Stop. Raises `error` when no stage runs, and no step."""
        if self._deliver is None:
            self._raised = error
            raise error
        self._deliver(error)

    @contextmanager
    def remembered(self) -> Generator[None]:
        """What `request` raises while libav works may be swallowed there: then libav's own error comes out."""
        try:
            yield
        except BlurSceneError as error:
            if self._raised is None or error is self._raised:
                raise
            raise self._raised from error

    @contextmanager
    def delivered_to(self, deliver: Callable[[StoppedError], None]) -> Generator[None]:
        """While this is open, a request goes to `deliver`. Raises the error of one that was swallowed before."""
        if self._raised is not None:
            raise self._raised
        self._deliver = deliver
        try:
            yield
        finally:
            self._deliver = None

    @contextmanager
    def between_steps(self) -> Generator[None]:
        """While this is open, a request waits for `check`: a file that is begun is finished or deleted."""
        with self.delivered_to(self._waiting.append):
            yield

    def check(self) -> None:
        """Called between two steps: raises the request that waits."""
        if self._waiting:
            raise self._waiting[0]
