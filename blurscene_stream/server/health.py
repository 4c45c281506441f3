"""GET /healthz, GET /readyz and GET /metrics, for whoever runs the service."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import ServiceUnavailable

from blurscene_stream.server.metrics import CONTENT_TYPE
from blurscene_stream.server.security import public
from blurscene_stream.server.service import RETRY_AFTER_S, service

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 unless the detector's thread has ended: then only a new process helps."""
    if not service().detector.alive:
        raise ServiceUnavailable("the detector has stopped; start the service again")
    return jsonify(status="alive")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Answer 200 once the detector has had its first run, and pictures are taken."""
    if not service().detector.ready:
        raise ServiceUnavailable("not ready; try again later", retry_after=RETRY_AFTER_S)
    return jsonify(status="ready")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer with counts and times, in Prometheus' text format."""
    return Response(service().metrics.text(), content_type=CONTENT_TYPE)
