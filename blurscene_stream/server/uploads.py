"""Bodies of requests: pictures, as they are or in a form, in memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO

from flask import Request, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from blurscene_stream.config.validation import shown

MAX_FORM_PARTS = 8
FORM = "multipart/form-data"


class UploadRequest(Request):
    """A request whose files stay in memory: nothing of a picture gets to the disk."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        return BytesIO()


def read_picture() -> bytes:
    """Return the picture of the current request: its body, or the one file of a form.

    Raises UnsupportedMediaType, BadRequest, RequestEntityTooLarge.
    """
    if request.mimetype == FORM:
        return read_form("image")["image"]
    if "image" not in request.mimetype:
        raise UnsupportedMediaType(f"Content-Type must be image/... or {FORM} with a file named image")
    with arriving_body():
        data = request.get_data(cache=False)
    return _not_empty(data)


def read_form(*names: str) -> dict[str, bytes]:
    """Return the contents of a form's parts, files or fields, by name: of exactly these.

    Raises UnsupportedMediaType, BadRequest, RequestEntityTooLarge.
    """
    if request.mimetype != FORM:
        raise UnsupportedMediaType(f"Content-Type must be {FORM} with the parts {', '.join(names)}")
    with arriving_body(), counted_parts():
        parts = [(name, file) for name, files in request.files.lists() for file in files]
        fields = [(name, text) for name, texts in request.form.lists() for text in texts]
    sent = [name for name, _ in parts] + [name for name, _ in fields]
    if sorted(sent) != sorted(names):
        wanted = f"part {names[0]} once" if len(names) == 1 else f"parts {', '.join(names)}, each once"
        raise BadRequest(f"the form must have the {wanted}, and no others; it has {shown(sent) if sent else 'none'}")
    read = {name: file.read() for name, file in parts} | {name: text.encode() for name, text in fields}
    return {name: _not_empty(content) for name, content in read.items()}


@contextmanager
def arriving_body() -> Iterator[None]:
    """Turn what goes wrong where a body is received into BadRequest: the client is gone, or its chunks are none."""
    try:
        yield
    except (OSError, ParseException) as error:
        raise BadRequest("the body cannot be read to its end") from error


@contextmanager
def counted_parts() -> Iterator[None]:
    """Turn Werkzeug's error for a form of too many parts into BadRequest: it is that for a body that is too large."""
    try:
        yield
    except RequestEntityTooLarge as error:
        size, limit = request.content_length, request.max_content_length
        if error.description != RequestEntityTooLarge.description or size is None or size > (limit or size):
            raise
        raise BadRequest(f"the form has more than {MAX_FORM_PARTS} parts, or too much that is no file") from error


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise BadRequest("the body is empty, a picture is expected; with curl: --data-binary @image.jpg")
    return data
