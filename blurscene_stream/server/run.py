"""gunicorn for one person: `blurscene-stream serve`."""

from __future__ import annotations

import atexit
import os
import socket
import sys
from dataclasses import replace
from typing import Any, NoReturn

from flask import Flask
from gunicorn.app.base import BaseApplication

from blurscene_stream.config import Settings
from blurscene_stream.errors import UsageError, reason
from blurscene_stream.server import gunicorn_hooks
from blurscene_stream.server.application import create_app, token_of_environment

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SPARE_THREADS = 8  # for what needs no place: /healthz, /metrics


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings, self._options = settings, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # older versions of gunicorn know fewer
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings, token=token_of_environment())


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal comes. Only the computer itself may ask when `host` is a loopback address.

    Raises ConfigError for an empty token, UsageError where nothing can listen.
    """
    token_of_environment()
    _check_address(host, port)
    if host in (*LOOPBACK, "::1") and not settings.server.allowed_hosts:
        settings = replace(settings, server=replace(settings.server, allowed_hosts=LOOPBACK))
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = {
        "bind": bind,
        "workers": 1,
        "worker_class": "blurscene_stream.server.connections.Worker",
        "threads": settings.server.queue_size + SPARE_THREADS,
        "timeout": 120,
        "loglevel": "warning",
        "control_socket_disable": True,
        "on_starting": lambda _: gunicorn_hooks.open_shared_spool(settings),
        "on_exit": gunicorn_hooks.on_exit,
        "worker_exit": gunicorn_hooks.worker_exit,
    }
    server, parent = _Server(settings, options), os.getpid()
    try:
        server.run()
    except SystemExit as exit_:
        if os.getpid() != parent:
            _end_worker(exit_)
        raise


def _check_address(host: str, port: int) -> None:
    """Refuse an address before gunicorn does, which tries for five seconds and says so in lines of its own."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(f"{host}:{port}: {reason(error)}; choose another --port, or --host") from error


def _end_worker(exit_: SystemExit) -> NoReturn:
    """End a worker here: further up, on the stack that it was forked with, signals are handled as by a command."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_.code if isinstance(exit_.code, int) else 0)
