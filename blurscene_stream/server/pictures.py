"""Pictures: POST /anonymize and POST /detect."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, request

from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings
from blurscene_stream.image import DecodedImage, decode, encode
from blurscene_stream.pipeline.image import ImageAnonymizer, ImageDetections
from blurscene_stream.server.options import DETECT_OPTIONS, REDACT_OPTIONS, FilteringDetector, chosen_settings
from blurscene_stream.server.service import service
from blurscene_stream.server.uploads import read_picture

blueprint = Blueprint("pictures", __name__)


@blueprint.post("/anonymize")
def anonymize() -> Response:
    """Answer with the picture in which everything is covered that was detected."""
    settings = chosen_settings(service().settings, request.args, (*DETECT_OPTIONS, *REDACT_OPTIONS))
    with service().place():
        image = _decoded(read_picture())
        file_format = "jpeg" if image.file_format == "jpeg" else "png"
        redacted = _anonymizer(settings).redact_decoded(image, g.request_id)
        return _picture(encode(redacted, file_format), file_format, redacted.detections)


@blueprint.post("/detect")
def detect() -> Response:
    """Answer with what is detected in the picture."""
    settings = chosen_settings(service().settings, request.args, DETECT_OPTIONS)
    with service().place():
        image = _decoded(read_picture())
        found = _anonymizer(settings).detect_decoded(image, g.request_id)
        height, width = image.samples.shape[:2]
        return jsonify(ImageDetections(width, height, found).as_dict())


def _decoded(data: bytes) -> DecodedImage:
    return decode(data, service().settings.server.max_pixels)


def _anonymizer(settings: Settings) -> ImageAnonymizer:
    return ImageAnonymizer(settings, FilteringDetector(service().detector, settings))


def _picture(data: bytes, file_format: str, covered: Detections) -> Response:
    response = Response(data, mimetype=f"image/{file_format}")
    response.headers["Content-Disposition"] = f"inline; filename=anon_image.{file_format}"
    response.headers["X-Blurscene-Boxes"] = str(len(covered))
    for name in covered.class_names:
        title = "-".join(part.capitalize() for part in name.replace("_", "-").split("-"))
        response.headers[f"X-Blurscene-{title}"] = str(covered.count(name))
    return response
