"""GET /openapi.json: the interface as an OpenAPI 3.1 document, with the limits of this server's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify

from blurscene_stream.config import Settings
from blurscene_stream.config.schema import RedactMethod
from blurscene_stream.config.serialization import program
from blurscene_stream.server.options import (
    CODECS,
    DETECT_OPTIONS,
    REDACT_OPTIONS,
    VIDEO_OPTIONS,
    enabled_classes,
    lowest_threshold,
    takes_threshold,
)
from blurscene_stream.server.service import service

blueprint = Blueprint("openapi", __name__)

Json = dict[str, Any]
PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff")
BINARY: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
ERRORS = {
    400: "The picture, the body or an option cannot be used.",
    401: "The bearer token is missing or wrong.",
    403: "A page of another site has sent this.",
    404: "There is no such job.",
    409: "The job is not done.",
    413: "The body has too many bytes, or the picture too many pixels.",
    415: "The Content-Type is none that is taken.",
    500: "Something failed here; there is no picture.",
    503: "Not ready, or too many requests wait; Retry-After says when to come again.",
}
POST_ERRORS = (400, 401, 403, 413, 415, 500, 503)
SCHEMAS: Mapping[str, Json] = {
    "Error": {
        "type": "object",
        "required": ["error", "request_id"],
        "properties": {"error": {"type": "string"}, "request_id": {"type": "string"}},
    },
    "Detections": {
        "type": "object",
        "required": ["width", "height", "boxes"],
        "properties": {
            "width": COUNT,
            "height": COUNT,
            "boxes": {"type": "array", "items": {"$ref": "#/components/schemas/Box"}},
        },
    },
    "Box": {
        "type": "object",
        "required": ["label", "score", "xyxy"],
        "properties": {
            "label": {"type": "string"},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "xyxy": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4},
        },
    },
    "Status": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Answer with the document."""
    return jsonify(document(service().settings, with_token=service().token is not None))


def document(settings: Settings, with_token: bool) -> Json:
    """Return the document. `with_token`: requests need one."""
    described: Json = {
        "openapi": "3.1.0",
        "info": {"title": "blurscene-stream", "version": program()["version"], "license": {"name": "Apache-2.0"}},
        "paths": {path: item for part in PARTS for path, item in part(settings).items()},
        "components": {"schemas": dict(SCHEMAS)},
    }
    if with_token:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def picture_paths(settings: Settings) -> Json:
    """Return the paths of pictures.py."""
    form = {"type": "object", "required": ["image"], "properties": {"image": BINARY}, "additionalProperties": False}
    body = {
        "required": True,
        "content": {name: {} for name in PICTURE_TYPES} | {"multipart/form-data": {"schema": form}},
    }
    pair = form | {"required": ["image", "detections"], "properties": {"image": BINARY, "detections": BINARY}}
    found = {"application/json": schema("Detections"), "application/jsonl": {}}
    covered = {
        "description": "The picture: JPEG for JPEG, PNG for all others.",
        "content": {"image/jpeg": {}, "image/png": {}},
        "headers": {"X-Blurscene-Boxes": {"description": "Boxes covered.", "schema": COUNT}},
    }
    return {
        "/anonymize": post(
            "Cover what is detected in a picture.", settings, (*DETECT_OPTIONS, *REDACT_OPTIONS), body, covered
        ),
        "/detect": post(
            "Detect in a picture.", settings, DETECT_OPTIONS, body, {"description": "The boxes.", "content": found}
        ),
        "/render": post(
            "Cover in a picture what its detections file says.",
            settings,
            REDACT_OPTIONS,
            {"required": True, "content": {"multipart/form-data": {"schema": pair}}},
            covered,
        ),
    }


def job_paths(settings: Settings) -> Json:
    """Return the paths of the video jobs."""
    job: Json = {"application/json": {}}
    form = {"type": "object", "required": ["video"], "properties": {"video": BINARY, "detections": BINARY}}
    body = {"required": True, "content": {"video/*": {}, "multipart/form-data": {"schema": form}}}
    options = (*DETECT_OPTIONS, *REDACT_OPTIONS, *VIDEO_OPTIONS)
    created = post("Anonymize a video.", settings, options, body, {"description": "The job.", "content": job})
    answers = created["post"]["responses"]
    answers["202"] = answers.pop("200")
    wanted = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}}
    one = get("State and progress of a job.", job, 404)
    gone = {"204": {"description": "The job and its files are gone."}} | _errors((401, 403, 404))
    one["delete"] = {"summary": "Stop a job and delete its files.", "responses": gone}
    return {
        "/jobs": created,
        "/jobs/{job_id}": one | {"parameters": [wanted]},
        "/jobs/{job_id}/detections": get("The detections file of a video.", {"application/jsonl": {}}, 404, 409)
        | {"parameters": [wanted]},
        "/jobs/{job_id}/result": get("The video; it is deleted afterwards.", {"video/mp4": {}}, 404, 409)
        | {"parameters": [wanted]},
    }


def operator_paths(_settings: Settings) -> Json:
    """Return the paths of limits.py, health.py and this module."""
    status = {"application/json": schema("Status")}
    return {
        "/limits": get("What is taken, and what a request may choose.", {"application/json": {}}, public=True),
        "/healthz": get("Whether the process works.", status, 503, public=True),
        "/readyz": get("Whether pictures are taken.", status, 503, public=True),
        "/metrics": get("Counts and times, in Prometheus' text format.", {"text/plain": {}}),
        "/openapi.json": get("This document.", {"application/json": {}}),
    }


PARTS: Sequence[Callable[[Settings], Json]] = (picture_paths, job_paths, operator_paths)
"""What the document is made of: each gives the paths of one part of the service."""


def get(summary: str, content: Json, *errors: int, public: bool = False) -> Json:
    """Return the item of a path that is only asked for."""
    known = errors if public else (401, *errors)
    operation = {"summary": summary, "responses": {"200": {"description": "OK", "content": content}} | _errors(known)}
    return {"get": operation | ({"security": []} if public else {})}


def post(summary: str, settings: Settings, options: Sequence[str], body: Json, answer: Json) -> Json:
    """Return the item of a path that takes a body and `options`, names of `parameters`."""
    known = parameters(settings)
    return {
        "post": {
            "summary": summary,
            "parameters": [known[name] for name in options if name in known],
            "requestBody": body,
            "responses": {"200": answer} | _errors(POST_ERRORS),
        }
    }


def schema(name: str) -> Json:
    """Return the content of an answer of one of SCHEMAS."""
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def parameters(settings: Settings) -> dict[str, Json]:
    """Return the query parameters that requests may have, by name."""
    server, classes = settings.server, enabled_classes(settings)
    scale = {"type": "number", "minimum": server.min_mask_scale, "maximum": server.max_mask_scale}
    names = {"type": "array", "items": {"enum": classes}, "minItems": 1}
    known = {
        "classes": _query("classes", "Classes that count, with commas between.", names) | {"explode": False},
        "redact": _query("redact", "Method.", {"enum": [method.name for method in RedactMethod]}),
        "mask_scale": _query("mask_scale", "Factor by which boxes are enlarged before they are covered.", scale),
        "codec": _query("codec", "Codec of the result.", {"enum": list(CODECS)}),
    }
    if takes_threshold(settings):
        score = {"type": "number", "minimum": lowest_threshold(settings), "maximum": server.max_threshold}
        known["thresh"] = _query("thresh", "Minimum score of a box.", score)
    return known


def _query(name: str, description: str, value: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": value}


def _errors(statuses: Sequence[int]) -> Json:
    content = {"application/json": schema("Error"), "text/plain": {}}
    return {str(status): {"description": ERRORS[status], "content": content} for status in statuses}
