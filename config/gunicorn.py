"""gunicorn --config=config/gunicorn.py blurscene_stream.server:app

WORKERS         processes, each with a model of its own (1)
WORKER_TIMEOUT  seconds without a sign of life after which a worker is replaced (120)
PORT            port, on all addresses (5000)
LOG_LEVEL       of gunicorn's own lines (info)
THREADS         requests that a worker reads at the same time (72: server.queue_size and some for what needs no place)
"""

import shutil
import tempfile
from os import environ
from typing import Any

from blurscene_stream.server.gunicorn_hooks import close_shared_spool, on_starting, worker_exit  # noqa: F401

workers = int(environ.get("WORKERS") or 1)
timeout = int(environ.get("WORKER_TIMEOUT") or 120)
bind = f"0.0.0.0:{int(environ.get('PORT') or 5000)}"
loglevel = (environ.get("LOG_LEVEL") or "info").lower()
threads = int(environ.get("THREADS") or 72)
worker_class = "blurscene_stream.server.connections.Worker"
errorlog = "-"
accesslog = None  # the application logs each request as JSON, without query and headers
control_socket_disable = True  # it would be a file in the home folder, which may be read-only

if workers > 1:  # /metrics is asked of one of them, and tells of all: they leave their numbers in this folder
    environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="blurscene-stream-metrics-"))


def child_exit(_server: Any, worker: Any) -> None:
    """Take the gauges of a worker that has ended out of /metrics."""
    if workers > 1:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # after the variable is set

        mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """Delete the videos, and the folder of the numbers."""
    close_shared_spool()
    if workers > 1:
        shutil.rmtree(environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
