"""Pictures: POST /anonymize, POST /detect and POST /render."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from blurscene_stream.config import Settings
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.image import DecodedImage, decode, encode, pixels_of
from blurscene_stream.pipeline.image import ImageAnonymizer, ImageDetections, detections_text, redact_listed
from blurscene_stream.server.options import DETECT_OPTIONS, REDACT_OPTIONS, FilteringDetector, chosen_settings
from blurscene_stream.server.service import service
from blurscene_stream.server.uploads import read_form, read_picture
from blurscene_stream.sidecar import DetectionsFile

JSON, JSON_LINES = "application/json", "application/jsonl"

blueprint = Blueprint("pictures", __name__)


@blueprint.post("/anonymize")
def anonymize() -> Response:
    """Answer with the picture in which everything is covered that was detected."""
    settings = chosen_settings(service().settings, request.args, (*DETECT_OPTIONS, *REDACT_OPTIONS))
    with service().place(), _decoded(read_picture()) as image:
        return _picture(image, _anonymizer(settings).redact_decoded(image, g.request_id))


@blueprint.post("/detect")
def detect() -> Response:
    """Answer with what is detected in the picture: as JSON, or as the detections file that /render takes."""
    settings = chosen_settings(service().settings, request.args, DETECT_OPTIONS)
    with service().place(), _decoded(read_picture()) as image:
        found = _anonymizer(settings).detect_decoded(image, g.request_id)
        if request.accept_mimetypes.best_match((JSON, JSON_LINES), JSON) == JSON_LINES:
            return Response(detections_text(image, found, settings), mimetype=JSON_LINES)
        return jsonify(ImageDetections.of(image, found).as_dict())


@blueprint.post("/render")
def render() -> Response:
    """Answer with the picture in which everything is covered that its detections file says. No detector runs."""
    settings = chosen_settings(service().settings, request.args, REDACT_OPTIONS)
    with service().place():
        form = read_form("image", "detections")
        if len(form["detections"]) > settings.server.max_detections_bytes:
            raise RequestEntityTooLarge(f"detections: is larger than {settings.server.max_detections_bytes:,} bytes")
        with (
            DetectionsFile(Path("detections"), settings, BytesIO(form["detections"])) as file,
            _decoded(form["image"]) as image,
        ):
            return _picture(image, redact_listed(image, file, settings, "the picture"))


@contextmanager
def _decoded(data: bytes) -> Generator[DecodedImage]:
    """Decode a picture as soon as there is memory for it."""
    server = service().settings.server
    with service().places.pixels(min(pixels_of(data), server.max_pixels)):
        yield decode(data, server.max_pixels)


def _anonymizer(settings: Settings) -> ImageAnonymizer:
    return ImageAnonymizer(settings, FilteringDetector(service().detector, settings))


def _picture(image: DecodedImage, redacted: RedactedFrame) -> Response:
    """Answer with the redacted picture, by the rules of BlurScene: JPEG for JPEG, PNG for all others."""
    file_format, covered = "jpeg" if image.file_format == "jpeg" else "png", redacted.detections
    response = Response(encode(redacted, file_format), mimetype=f"image/{file_format}")
    service().metrics.count_boxes(covered)
    response.headers["Content-Disposition"] = f"inline; filename=anon_image.{file_format}"
    response.headers["X-Blurscene-Boxes"] = str(len(covered))
    for name in covered.class_names:
        title = "-".join(part.capitalize() for part in name.replace("_", "-").split("-"))
        response.headers[f"X-Blurscene-{title}"] = str(covered.count(name))
    return response
