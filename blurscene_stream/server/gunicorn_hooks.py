"""Hooks of gunicorn: the spool that its workers share, and the end of their jobs."""

from __future__ import annotations

import os
from typing import Any

from blurscene_stream.config import Settings, load_settings
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.server.jobs.spool import Spool

UMASK = 0o077

_spool: list[Spool] = []  # of the master, and inherited by the workers that it forks


def shared_spool() -> Spool | None:
    """Return the spool that the workers of this server share; None when there is none."""
    return _spool[0] if _spool else None


def open_shared_spool(settings: Settings) -> None:
    """Make the spool, in the master, and have all that is written be for nobody else. Raises ConfigError."""
    os.umask(UMASK)  # gunicorn's own setting counts for a daemon alone
    _spool[:] = [Spool(settings.server.spool_folder)]


def on_starting(_arbiter: Any) -> None:
    """Make the spool that the settings of the environment name."""
    try:
        open_shared_spool(load_settings(environment=os.environ))
    except BlurSceneError as error:
        raise SystemExit(f"blurscene-stream: error: {error}") from error


def close_shared_spool() -> None:
    """Delete the spool, at the end of the master."""
    if spool := shared_spool():
        spool.close()


def worker_exit(_arbiter: Any, worker: Any) -> None:
    """End the jobs of a worker, in the worker, before it waits for its threads."""
    app = getattr(worker, "wsgi", None)  # None in the master, which calls this too
    if app is not None:
        from blurscene_stream.server.jobs.views import EXTENSION  # noqa: PLC0415  # Flask: the master needs none

        app.extensions[EXTENSION].close()
