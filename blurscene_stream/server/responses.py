"""Errors as answers: JSON of one line, without what is none of the client's business."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from blurscene_stream.crash_report import type_and_place
from blurscene_stream.errors import BlurSceneError, SourceError, TooLargeError, UsageError

log = logging.getLogger(__name__)

TYPES = ("application/json", "text/plain")
INTERNAL_ERROR = "internal error"
ADVICE = "; nothing was written"  # of messages that the command line has too


def add_to(app: Flask) -> None:
    """Answer every error of a view."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(BlurSceneError, _own_error)
    app.register_error_handler(Exception, _other_error)


def _http_error(error: HTTPException) -> Response:
    """Answer an error that a view, Flask or Werkzeug raised as one."""
    headers = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    return _answer(error.code or 500, _line(error), headers)


def _line(error: HTTPException) -> str:
    """Return the error's own line; ours where it has only Werkzeug's, which tell of a browser."""
    if isinstance(error, NotFound):
        return "there is nothing here"
    if isinstance(error, MethodNotAllowed):
        return f"the method must be {' or '.join(sorted(error.valid_methods or []))}"
    if isinstance(error, RequestEntityTooLarge) and error.description == RequestEntityTooLarge.description:
        return f"the body is larger than {request.max_content_length:,} bytes, the most that is taken"
    if error.description == type(error).description:
        return "the request cannot be read" if isinstance(error, BadRequest) else str(error.name).lower()
    return error.description or INTERNAL_ERROR


def _own_error(error: BlurSceneError) -> Response:
    """Answer an error that was foreseen: what the client can mend is told, nothing else."""
    if isinstance(error, TooLargeError):
        return _answer(413, str(error), {})
    if isinstance(error, SourceError | UsageError):
        return _answer(400, str(error).removesuffix(ADVICE), {})
    return _other_error(error)


def _other_error(error: Exception) -> Response:
    """Answer an error on our side. Its text may hold anything: it goes nowhere."""
    root: BaseException = error
    while root.__cause__ is not None and root.__cause__.__traceback__ is not None:
        root = root.__cause__
    cause = f", after {type_and_place(root)}" if root is not error else ""
    fields = {"event": "error", "request_id": g.request_id}
    log.error("%s", f"{INTERNAL_ERROR}: {type_and_place(error)}{cause}", extra={"fields": fields})
    return _answer(500, INTERNAL_ERROR, {})


def _answer(status: int, line: str, headers: dict[str, str]) -> Response:
    if request.accept_mimetypes.best_match(TYPES, TYPES[0]) == TYPES[1]:
        response = Response(f"{line}\n", mimetype=TYPES[1])
    else:
        response = jsonify(error=line, request_id=g.request_id)
    response.status_code = status
    response.headers.extend(headers)
    return response
