"""Shards that come while training goes on: each is decoded into the store on threads, once its file is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event

from scripts.training.shards import Shard
from scripts.training.store import Store

_POLL_S = 0.3

Report = Callable[[Shard], None]
"""Is told of each shard that is in the store, on another thread."""


@contextmanager
def arriving(store: Store, shards: Sequence[Shard], first: int, report: Report) -> Iterator[Future[None]]:
    """Fill `store`, made for these shards, as they come, until the end of the context; begin when `first` are there.

    Yields what is done when all are there, or with its error when one cannot be read. Raises SourceError when it is one
    of the first.
    """
    stopped = Event()
    with ThreadPoolExecutor(1, "shards") as pool:
        filling = pool.submit(_fill, store, shards, report, stopped)
        try:
            while int(store.filled.sum()) < first:
                if wait([filling], _POLL_S).done:
                    filling.result()
            yield filling
        finally:
            stopped.set()


def _fill(store: Store, shards: Sequence[Shard], report: Report, stopped: Event) -> None:
    missing = dict(enumerate(shards))
    while missing and not stopped.is_set():
        for number in [number for number, shard in missing.items() if shard.has_arrived()]:
            shard = missing.pop(number)
            store.fill(number, shard.pictures())
            report(shard)
            if stopped.is_set():
                return
        stopped.wait(_POLL_S)
