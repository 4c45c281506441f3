"""`blurscene-stream serve`: the HTTP service for one person."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

import click

from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIG_OPTIONS, DETECT_OPTIONS, LOG_OPTIONS, options, prepare
from blurscene_stream.errors import UsageError

log = logging.getLogger(__name__)

NEEDED = ("flask", "gunicorn", "prometheus_client")


@click.command("serve", **COMMAND_SETTINGS | {"no_args_is_help": False})
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), metavar="INTEGER", help="Port.")
@options(DETECT_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def serve_command(host: str, port: int, **given: Any) -> int:
    """Serve the page and the HTTP interface on this computer, until Ctrl-C.

    With BLURSCENE_TOKEN in the environment, requests need that bearer token. For more than one person, and for several
    processes: gunicorn --config=config/gunicorn.py blurscene_stream.server:app.
    """
    _, settings, _ = prepare(given, _check_installed)
    log.info("%s", f"http://{f'[{host}]' if ':' in host else host}:{port}/: loading the model; Ctrl-C ends the service")
    from blurscene_stream.server.run import serve  # noqa: PLC0415  # imports Flask and gunicorn

    serve(settings, host, port)
    return 0


def _check_installed() -> None:
    """Raise UsageError when what the service needs is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        needs = "the HTTP service needs Flask, gunicorn and prometheus-client"
        raise UsageError(f"{needs}: pip install 'blurscene-stream[server]' ({', '.join(missing)} is missing)")
