"""The Flask application: its parts, put together."""

from __future__ import annotations

import atexit
import os
from dataclasses import replace

from flask import Flask
from gunicorn.errors import AppImportError

from blurscene_stream.config import Settings, load_settings
from blurscene_stream.errors import BlurSceneError, ConfigError
from blurscene_stream.log_lines import set_up_logs
from blurscene_stream.pipeline.detection import LoadDetector, load_configured_detector
from blurscene_stream.server import health, limits, openapi, page, pictures, request_log, responses, security
from blurscene_stream.server.gunicorn_hooks import JOBS_END, shared_spool
from blurscene_stream.server.jobs import views
from blurscene_stream.server.jobs.views import Jobs
from blurscene_stream.server.service import Service
from blurscene_stream.server.uploads import MAX_FORM_PARTS, UploadRequest

BLUEPRINTS = (
    health.blueprint,
    limits.blueprint,
    openapi.blueprint,
    page.blueprint,
    views.blueprint,
    pictures.blueprint,
)
TOKEN_VARIABLE = "BLURSCENE_TOKEN"


def create_app(
    settings: Settings, *, load_detector: LoadDetector = load_configured_detector, token: str | None = None
) -> Flask:
    """Make the application, and load the model; the detector's first run goes on in a thread of its own.

    token: what a request must show as `Authorization: Bearer TOKEN`; None: it need not

    Raises ConfigError, DeviceError, DetectionError when the detector cannot be loaded.
    """
    app = Flask(__name__, static_folder=None)
    app.request_class = UploadRequest
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.server.max_detections_bytes
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    service = Service.start(settings, load_detector, token)
    service.add_to(app)
    atexit.register(service.close)
    jobs = Jobs.start(settings, service.detector, shared_spool())
    jobs.add_to(app)
    app.extensions[JOBS_END] = jobs.close
    atexit.register(jobs.close)
    request_log.add_to(app)
    security.add_to(app)
    responses.add_to(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def app_of_environment() -> Flask:
    """Make the application of a gunicorn worker: settings of the environment, and logs as JSON.

    Raises AppImportError, of which gunicorn shows one line.
    """
    try:
        settings = load_settings(environment=os.environ)
        set_up_logs(replace(settings.logging, json=True), quiet=False)
        return create_app(settings, token=token_of_environment())
    except BlurSceneError as error:
        raise AppImportError(f"blurscene-stream: error: {error}") from error


def token_of_environment() -> str | None:
    """Return the token that requests must show; None where none is set.

    Raises ConfigError for one that is empty: whoever sets it wants one.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is not None and not token.strip():
        raise ConfigError(f"{TOKEN_VARIABLE} is empty; give it a secret, or unset it so that no token is needed")
    return token
