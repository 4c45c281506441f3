"""Uploads of videos: streamed to the spool, never whole in memory, bounded and complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedWriter, FileIO
from typing import IO, Any

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from werkzeug.formparser import FormDataParser

from blurscene_stream.config.schema import ServerConfig
from blurscene_stream.server.jobs.job_folder import UPLOADED_DETECTIONS, VIDEO, JobFolder
from blurscene_stream.server.jobs.spool import RETRY_AFTER_S, Spool
from blurscene_stream.server.uploads import FORM, MAX_FORM_PARTS, arriving_body, counted_parts

CHUNK_BYTES = 1 << 16
CHECK_BYTES = 1 << 23  # between two looks at the room in the spool
FORM_BYTES = 1 << 17  # boundaries and headers of a form, and what its parser reads at once
PARTS = ((VIDEO,), (UPLOADED_DETECTIONS, VIDEO))


def receive(job: JobFolder, spool: Spool, config: ServerConfig) -> None:
    """Receive the video of the current request, and its detections if there are any.

    Raises UnsupportedMediaType, BadRequest, RequestEntityTooLarge, ServiceUnavailable.
    """
    form = request.mimetype == FORM
    if not form and not request.mimetype.startswith("video/"):
        raise UnsupportedMediaType(f"Content-Type must be video/... or {FORM} with a file named video")
    with _answered_errors():
        body = _Body(request.stream)
        room = _Room(spool, config, config.max_video_bytes + (config.max_detections_bytes if form else 0))
        (_receive_form if form else _receive_video)(job, body, room)
        if request.content_length not in (None, body.size):
            raise BadRequest("the body is shorter than its Content-Length says")


def max_upload_bytes(config: ServerConfig) -> int:
    """Return how long the body of the current request may be."""
    form = request.mimetype == FORM
    return config.max_video_bytes + (config.max_detections_bytes + FORM_BYTES if form else 0)


@contextmanager
def _answered_errors() -> Iterator[None]:
    """Turn what goes wrong in a transfer into an answer. Most of its clients are gone and do not get it."""
    try:
        yield
    except HTTPException:
        raise
    except OSError as error:  # the disk is full
        raise ServiceUnavailable("the video could not be received", retry_after=RETRY_AFTER_S) from error
    except ValueError as error:
        raise BadRequest("the form cannot be read, or is cut short") from error


def _receive_video(job: JobFolder, body: _Body, room: _Room) -> None:
    with _File(job.new_file(VIDEO), room) as file:
        while chunk := body.read(CHUNK_BYTES):
            file.write(chunk)
        _refuse_empty(file.size)


def _receive_form(job: JobFolder, body: _Body, room: _Room) -> None:
    """Receive the parts of a form under numbers, and name them once it is known what they are."""
    with ExitStack() as stack:
        files: dict[str, _File] = {}

        def open_part(*_: object, **__: object) -> _File:
            number = f"part-{len(files)}"
            return files.setdefault(number, stack.enter_context(_File(job.new_file(number), room)))

        parser = FormDataParser(
            stream_factory=open_part,
            max_form_memory_size=room.config.max_detections_bytes + FORM_BYTES,
            max_form_parts=MAX_FORM_PARTS,
            silent=False,
        )
        with counted_parts():
            _, fields, parts = parser.parse(body, FORM, request.content_length, request.mimetype_params)  # type: ignore[arg-type]
        names = [*(name for name, _ in parts.items(multi=True)), *(name for name, _ in fields.items(multi=True))]
        if tuple(sorted(names)) not in PARTS or VIDEO not in parts:
            raise BadRequest("the form must have the file video, and may have detections, each once, and no others")
        for number, (name, _) in zip(files, parts.items(multi=True), strict=True):
            (job.path / number).rename(job.path / name)
            _check_size(name, files[number].size, room.config)
        if UPLOADED_DETECTIONS in fields:
            with _File(job.new_file(UPLOADED_DETECTIONS), room) as file:
                file.write(fields[UPLOADED_DETECTIONS].encode())
            _check_size(UPLOADED_DETECTIONS, file.size, room.config)


def _check_size(name: str, size: int, config: ServerConfig) -> None:
    _refuse_empty(size)
    if name == UPLOADED_DETECTIONS and size > config.max_detections_bytes:
        raise RequestEntityTooLarge(f"detections are larger than {config.max_detections_bytes:,} bytes")


def _refuse_empty(size: int) -> None:
    if size == 0:
        raise BadRequest("the body is empty, a video is expected; with curl: --data-binary @video.mp4")


class _Body:
    """The body of a request.

    size: bytes that have been read
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.size = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, b"" at the end. Raises BadRequest."""
        with arriving_body():
            chunk = self._stream.read(size)
        self.size += len(chunk)
        return chunk


class _Room:
    """How much more may be written of one upload."""

    def __init__(self, spool: Spool, config: ServerConfig, max_bytes: int) -> None:
        self.config = config
        self._spool = spool
        self._max_bytes = max_bytes
        self._written = self._checked = 0

    def take(self, size: int) -> None:
        """Count what is to be written. Raises RequestEntityTooLarge, ServiceUnavailable."""
        self._written += size
        if self._written > self._max_bytes:
            raise RequestEntityTooLarge(f"the body is larger than {self._max_bytes:,} bytes, the most that is taken")
        if self._written - self._checked > CHECK_BYTES:
            self._spool.check_room(self.config)
            self._checked = self._written


class _File(BufferedWriter):
    """A new file that takes no more than there is room for; used as a context manager.

    size: bytes that were written
    """

    def __init__(self, descriptor: int, room: _Room) -> None:
        super().__init__(FileIO(descriptor, "w"))
        self._room = room
        self.size = 0

    def write(self, data: Any) -> int:
        """Write all of `data`. Raises RequestEntityTooLarge, ServiceUnavailable, OSError."""
        written = len(memoryview(data))
        self._room.take(written)
        self.size += written
        return super().write(data)
