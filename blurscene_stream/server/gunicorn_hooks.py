"""Hooks of gunicorn: what its workers share, the spool and the folder of their numbers, and the end of their jobs."""

from __future__ import annotations

import os
from typing import Any

from blurscene_stream.config import Settings, load_settings
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.server.jobs.spool import Spool

UMASK = 0o077
JOBS_END = "blurscene_stream_jobs_end"  # of an application's extensions: ends the jobs of its worker
NUMBERS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # of prometheus_client: each of several workers leaves its numbers there

_spool: list[Spool] = []  # of the master, and inherited by the workers that it forks


def shared_spool() -> Spool | None:
    """Return the spool that the workers of this server share; None when there is none."""
    return _spool[0] if _spool else None


def open_shared_spool(settings: Settings) -> None:
    """Make the spool, in the master, and have all that is written be for nobody else. Raises ConfigError."""
    os.umask(UMASK)  # gunicorn's own setting counts for a daemon alone
    _spool[:] = [Spool(settings.server.spool_folder)]


def on_starting(arbiter: Any) -> None:
    """Make the spool that the settings of the environment name, and in it the folder of the workers' numbers."""
    try:
        open_shared_spool(load_settings(environment=os.environ))
    except BlurSceneError as error:
        raise SystemExit(f"blurscene-stream: error: {error}") from error
    if arbiter.cfg.workers > 1 and NUMBERS_FOLDER not in os.environ:
        folder = _spool[0].folder / "numbers"
        folder.mkdir()
        os.environ[NUMBERS_FOLDER] = str(folder)


def child_exit(_arbiter: Any, worker: Any) -> None:
    """Take the gauges of a worker that has ended out of /metrics, in the master; its counts stay."""
    if NUMBERS_FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # once the variable is set

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_arbiter: Any) -> None:
    """Delete the spool, at the end of the master."""
    if spool := shared_spool():
        spool.close()


def worker_exit(_arbiter: Any, worker: Any) -> None:
    """End the jobs of a worker, in the worker, before it waits for its threads."""
    app = getattr(worker, "wsgi", None)  # None in the master, which calls this too
    if app is not None:
        app.extensions[JOBS_END]()
