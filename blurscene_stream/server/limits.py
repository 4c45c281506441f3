"""GET /limits: what the service takes, and what a request may choose; the page asks for it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from blurscene_stream.config.schema import RedactMethod
from blurscene_stream.paths import IMAGE_FORMATS
from blurscene_stream.server.options import enabled_classes, lowest_threshold, takes_threshold
from blurscene_stream.server.security import public
from blurscene_stream.server.service import service

blueprint = Blueprint("limits", __name__)


@blueprint.get("/limits")
@public
def limits() -> Response:
    """Answer with the limits and the defaults."""
    settings, server = service().settings, service().settings.server
    classes = {name: settings.classes[name] for name in enabled_classes(settings)}
    return jsonify(
        formats=sorted({*IMAGE_FORMATS.values()}),
        max_body_bytes=server.max_body_bytes,
        max_pixels=server.max_pixels,
        max_detections_bytes=server.max_detections_bytes,
        max_video_bytes=server.max_video_bytes,
        max_video_s=server.max_video_s,
        max_video_pixels=server.max_video_pixels,
        max_jobs=server.max_jobs,
        job_lifetime_s=server.job_lifetime_s,
        classes=list(classes),
        thresh={
            "adjustable": takes_threshold(settings),
            "min": lowest_threshold(settings),
            "max": server.max_threshold,
            "defaults": {name: config.threshold for name, config in classes.items()},
        },
        redact={"methods": [method.name for method in RedactMethod], "default": settings.redact.method.name},
        mask_scale={
            "min": server.min_mask_scale,
            "max": server.max_mask_scale,
            "defaults": {name: round(1 + 2 * config.margin, 6) for name, config in classes.items()},
        },
        token_needed=service().token is not None,
    )
