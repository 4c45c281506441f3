"""gunicorn --config=config/gunicorn.py blurscene_stream.server:app

WORKERS         processes, each with a model of its own (1)
WORKER_TIMEOUT  seconds without a sign of life after which a worker is replaced (120)
PORT            port, on all addresses (5000)
LOG_LEVEL       of gunicorn's own lines (info)
THREADS         requests that a worker reads at the same time (72: server.queue_size and some for what needs no place)
"""

from os import environ

from blurscene_stream.server.gunicorn_hooks import child_exit, on_exit, on_starting, worker_exit  # noqa: F401

workers = int(environ.get("WORKERS") or 1)
timeout = int(environ.get("WORKER_TIMEOUT") or 120)
bind = f"0.0.0.0:{int(environ.get('PORT') or 5000)}"
loglevel = (environ.get("LOG_LEVEL") or "info").lower()
threads = int(environ.get("THREADS") or 72)
worker_class = "blurscene_stream.server.connections.Worker"
errorlog = "-"
accesslog = None  # the application logs each request as JSON, without query and headers
control_socket_disable = True  # it would be a file in the home folder, which may be read-only
