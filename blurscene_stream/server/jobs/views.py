"""Videos: POST /jobs, GET /jobs/ID, its detections and its result, DELETE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from flask import Blueprint, Flask, Response, current_app, jsonify, request, url_for
from werkzeug.exceptions import Conflict, NotFound, ServiceUnavailable

from blurscene_stream.config import Settings
from blurscene_stream.pipeline.detection import Detector
from blurscene_stream.server.connections import Connection, current_connection
from blurscene_stream.server.jobs import upload
from blurscene_stream.server.jobs.job_folder import DETECTIONS, RESULT, JobFolder, JobRecord, JobState
from blurscene_stream.server.jobs.runner import Runner
from blurscene_stream.server.jobs.spool import Spool, hide_folders_in_logs
from blurscene_stream.server.options import DETECT_OPTIONS, REDACT_OPTIONS, VIDEO_OPTIONS, chosen_settings
from blurscene_stream.server.service import RETRY_AFTER_S, service

blueprint = Blueprint("jobs", __name__)
EXTENSION = "blurscene_stream_jobs"
CHUNK_BYTES = 1 << 16
TAKE_S = 30.0  # for a client to take the end of a result, and to close the connection


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """The jobs of one worker.

    spool:  shared with the other workers
    runner: does the jobs that this worker has taken
    shared: the spool is not this worker's own
    """

    spool: Spool
    runner: Runner
    shared: bool

    @classmethod
    def start(cls, settings: Settings, detector: Detector, spool: Spool | None) -> Jobs:
        """Start the runner, with the spool that workers share, or one of its own. Raises ConfigError."""
        hide_folders_in_logs()
        own = spool or Spool(settings.server.spool_folder)
        return cls(own, Runner(own, settings, detector), shared=spool is not None)

    def add_to(self, app: Flask) -> None:
        """Give the jobs to the views of `app`."""
        app.extensions[EXTENSION] = self

    def close(self) -> None:
        """Stop the job that runs, and delete the spool unless other workers share it."""
        self.runner.close()
        if not self.shared:
            self.spool.close()


def jobs() -> Jobs:
    """Return the jobs of the worker that answers the current request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Jobs)
    return found


@blueprint.post("/jobs")
def create() -> tuple[Response, int, dict[str, str]]:
    """Take a video, and answer with the job that anonymizes it."""
    settings = chosen_settings(service().settings, request.args, (*DETECT_OPTIONS, *REDACT_OPTIONS, *VIDEO_OPTIONS))
    if not service().detector.ready:
        raise ServiceUnavailable("not ready; try again later", retry_after=RETRY_AFTER_S)
    request.max_content_length = upload.max_upload_bytes(settings.server)
    job = jobs().spool.admit(settings.server, request.content_length)
    try:
        record = _receive(job, settings)
    except BaseException:
        job.delete()
        raise
    return jsonify(_as_json(job, record)), 202, {"Location": url_for("jobs.status", job_id=job.id)}


def _receive(job: JobFolder, settings: Settings) -> JobRecord:
    upload.receive(job, jobs().spool, settings.server)
    return jobs().runner.submit(job, settings)


@blueprint.get("/jobs/<job_id>")
def status(job_id: str) -> Response:
    """Answer with the state of a job."""
    return jsonify(_as_json(*_found(job_id)))


@blueprint.get("/jobs/<job_id>/detections")
def detections(job_id: str) -> Response:
    """Answer with the detections file of a job that is done."""
    return _file(_done(job_id), DETECTIONS, "application/jsonl", last=False)


@blueprint.get("/jobs/<job_id>/result")
def result(job_id: str) -> Response:
    """Answer with the anonymized video. When the client has taken it whole, the job is deleted."""
    return _file(_done(job_id), RESULT, "video/mp4", last=True)


@blueprint.delete("/jobs/<job_id>")
def delete(job_id: str) -> tuple[str, int]:
    """Stop and delete a job."""
    job, _ = _found(job_id)
    job.delete()
    return "", 204


def _found(job_id: str) -> tuple[JobFolder, JobRecord]:
    """Return a job and its record. Raises NotFound: whether it was there once is not told."""
    found = jobs().spool.find(job_id)
    if found is None:
        raise NotFound
    return found


def _done(job_id: str) -> JobFolder:
    job, record = _found(job_id)
    if record.state is JobState.failed:
        raise Conflict(f"the job has failed: {record.error}")
    if record.state is not JobState.done:
        raise Conflict(f"the job is {record.state.name}; ask again when it is done")
    return job


def _as_json(job: JobFolder, record: JobRecord) -> dict[str, object]:
    views = {"self": "status", "result": "result", "detections": "detections"}
    links = {name: url_for(f"jobs.{view}", job_id=job.id) for name, view in views.items()}
    return {"id": job.id, **record.as_dict(), "links": links}


def _file(job: JobFolder, name: str, mimetype: str, last: bool) -> Response:
    """Answer with a file of a job, piece by piece; when it is the last that is fetched, the job is deleted after it."""
    try:
        file = (job.path / name).open("rb")
    except FileNotFoundError as error:  # fetched or deleted just now
        raise NotFound from error
    response = Response(_pieces(file, current_connection(), job if last else None), mimetype=mimetype)
    response.call_on_close(file.close)  # of an answer to HEAD no piece is taken
    response.content_length = os.fstat(file.fileno()).st_size
    response.headers["Content-Disposition"] = f"attachment; filename=anonymized{Path(name).suffix}"
    return response


def _pieces(file: BinaryIO, connection: Connection | None, job: JobFolder | None) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK_BYTES):
            yield piece  # a client that is gone ends this generator here
    # What the client does not take may still lie in the system's buffers.
    if job is not None and (connection is None or connection.closed_by_client(TAKE_S)):
        job.delete()
