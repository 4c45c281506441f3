"""Request ids, and a line of log for each request."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, has_request_context, request

from blurscene_stream.server.service import service

log = logging.getLogger(__name__)

ID_HEADER = "X-Request-Id"
PROBES = ("/healthz", "/readyz", "/metrics")  # asked for every few seconds
ID = re.compile("[A-Za-z0-9._-]{1,64}")


def add_to(app: Flask) -> None:
    """Give every request an id, and log its answer."""
    app.before_request(_start)
    app.after_request(_log)


def request_id() -> str | None:
    """Return the id of the current request; None outside of one."""
    return g.get("request_id") if has_request_context() else None


def _start() -> None:
    """Take the id that a proxy has given the request, else make one."""
    given = request.headers.get(ID_HEADER, "")
    g.request_id = given if ID.fullmatch(given) else uuid.uuid4().hex
    g.start_s = time.monotonic()


def _log(response: Response) -> Response:
    """Log the answer: the route, not the path, and no query: they may hold names and secrets."""
    response.headers[ID_HEADER] = g.request_id
    route, seconds = str(request.url_rule) if request.url_rule else None, time.monotonic() - g.start_s
    fields = {
        "event": "request",
        "request_id": g.request_id,
        "method": request.method if request.url_rule else None,
        "route": route,
        "status": response.status_code,
        "seconds": round(seconds, 4),
        "bytes_in": request.content_length,
        "bytes_out": response.content_length,
    }
    service().metrics.count_request(route, request.method, response.status_code, seconds)
    level = logging.DEBUG if route in PROBES and response.status_code == 200 else logging.INFO
    log.log(level, "%s", f"{route or 'no route'} {response.status_code}", extra={"fields": fields})
    return response
