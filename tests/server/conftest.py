"""The service with a detector that needs no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from flask import Flask
from flask.testing import FlaskClient

from blurscene_stream.config.schema import Settings
from blurscene_stream.server import create_app
from blurscene_stream.server.jobs import views
from blurscene_stream.server.jobs.views import Jobs
from blurscene_stream.server.service import EXTENSION, Service
from tests.detectors import SquareDetector
from tests.settings import changed

START_TIMEOUT_S = 30

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Make an application of some settings and a detector, with its detector's thread running."""
    apps: list[Flask] = []

    def make(
        values: Mapping[str, object] | None = None, detector: SquareDetector | None = None, token: str | None = None
    ) -> Flask:
        detector = detector or SquareDetector()
        app = create_app(changed(Settings(), values or {}), load_detector=detector.load, token=token)
        apps.append(app)
        assert service_of(app).detector.wait_until_started(START_TIMEOUT_S)
        return app

    yield make
    for app in apps:
        jobs_of(app).close()
        service_of(app).close()


def service_of(app: Flask) -> Service:
    found = app.extensions[EXTENSION]
    assert isinstance(found, Service)
    return found


def jobs_of(app: Flask) -> Jobs:
    found = app.extensions[views.EXTENSION]
    assert isinstance(found, Jobs)
    return found


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()
