"""Shards that come while training goes on: each is decoded into the store on threads, once its file is complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from types import TracebackType

from scripts.training.shards import Shard
from scripts.training.store import Store

_POLL_S = 0.3

Report = Callable[[Shard], None]
"""Is told of each shard that is in the store, on another thread."""


class Arrivals:
    """Fills `store`, made for these shards, as they come: a context that begins when `first` are there.

    Raises SourceError when one of the first cannot be read.
    """

    def __init__(self, store: Store, shards: Sequence[Shard], first: int, report: Report) -> None:
        self._store, self._shards, self._first, self._report = store, shards, min(first, len(shards)), report
        self._stopped = Event()
        self._pool = ThreadPoolExecutor(1, "shards")
        self._filling: Future[None] | None = None

    def check(self) -> None:
        """Raise the error of a shard that could not be read."""
        if self._filling is not None and self._filling.done():
            self._filling.result()

    def __enter__(self) -> Arrivals:
        self._filling = self._pool.submit(self._fill)
        try:
            while int(self._store.filled.sum()) < self._first:
                wait([self._filling], _POLL_S)
                self.check()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def _fill(self) -> None:
        missing = dict(enumerate(self._shards))
        while missing and not self._stopped.is_set():
            for number in [number for number, shard in missing.items() if shard.has_arrived()]:
                shard = missing.pop(number)
                self._store.fill(number, shard.pictures())
                self._report(shard)
                if self._stopped.is_set():
                    return
            self._stopped.wait(_POLL_S)
