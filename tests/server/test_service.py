"""The service under load, without a detector that works, and as its operator sees it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from flask.testing import FlaskClient

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import LoggingConfig, Settings
from blurscene_stream.frames import Frame
from blurscene_stream.log_lines import set_up_logs
from blurscene_stream.server import create_app
from tests.detectors import SquareDetector
from tests.pictures import file_of, samples_of
from tests.processes import PATIENCE_S, wait_until
from tests.server.conftest import START_TIMEOUT_S, MakeApp, service_of

COLOR = file_of(samples_of(3), "png")


class Gate:
    """A detector's hook that holds it up, but for its first run."""

    def __init__(self) -> None:
        self.open, self.reached = threading.Event(), threading.Event()

    def __call__(self, frames: Sequence[Frame]) -> None:
        if frames[0].picture.width == samples_of(3).shape[1]:
            self.reached.set()
            assert self.open.wait(PATIENCE_S)


def fail(frames: Sequence[Frame]) -> list[Detections] | None:
    """A detector's hook that fails, but for its first run."""
    if frames[0].picture.width == samples_of(3).shape[1]:
        raise RuntimeError("/secret/path of a library")
    return None


def post(client: FlaskClient) -> tuple[int, str | None]:
    answer = client.post("/anonymize", data=COLOR, content_type="image/png")
    return answer.status_code, answer.mimetype


def test_one_picture_too_many_is_asked_to_come_again(make_app: MakeApp) -> None:
    gate = Gate()
    app = make_app({"server.queue_size": 2}, SquareDetector(gate))
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(post, app.test_client()) for _ in range(2)]
        assert gate.reached.wait(PATIENCE_S)
        wait_until(lambda: service_of(app).places.taken == 2)
        answer = app.test_client().post("/anonymize", data=COLOR, content_type="image/png")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json and answer.json["error"] == "2 pictures wait already; try again later"
        assert app.test_client().get("/readyz").status_code == 200
        gate.open.set()
        assert [each.result(PATIENCE_S) for each in waiting] == [(200, "image/png")] * 2
    assert post(app.test_client()) == (200, "image/png")


def test_pictures_wait_for_the_memory_of_others(make_app: MakeApp) -> None:
    gate = Gate()
    pixels = {"server.max_pixels": 4800, "server.max_pixels_at_once": 9000}
    app = make_app(pixels, SquareDetector(gate))
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(post, app.test_client()) for _ in range(3)]
        assert gate.reached.wait(PATIENCE_S)
        assert service_of(app).places._free_pixels == 9000 - 4800
        gate.open.set()
        assert {answer.result(PATIENCE_S)[0] for answer in answers} == {200}
    assert service_of(app).places._free_pixels == 9000


def test_a_detector_that_fails_lets_no_picture_out(make_app: MakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LoggingConfig(json=True), quiet=False)
    client = make_app(detector=SquareDetector(fail)).test_client()
    answer = client.post("/anonymize", data=COLOR, content_type="image/png")
    assert (answer.status_code, answer.json and answer.json["error"]) == (500, "internal error")
    said = capsys.readouterr().err
    assert "secret" not in said
    lines = [json.loads(line) for line in said.splitlines()]
    ids = {line["request_id"] for line in lines}
    assert ids == {answer.headers["X-Request-Id"]}
    assert [line["level"] for line in lines] == ["error", "info"]
    assert "RuntimeError" in lines[0]["message"]


def test_nothing_is_taken_before_the_first_run_is_over() -> None:
    gate = threading.Event()

    def wait(_: Sequence[Frame]) -> None:
        assert gate.wait(PATIENCE_S)

    app = create_app(Settings(), load_detector=SquareDetector(wait).load)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    for answer in (client.get("/readyz"), client.post("/detect", data=COLOR, content_type="image/png")):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    gate.set()
    assert service_of(app).detector.wait_until_started(START_TIMEOUT_S)
    assert client.get("/readyz").json == {"status": "ready"}
    service_of(app).close()
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 503


def test_the_log_has_a_line_for_each_request_without_what_is_secret(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(LoggingConfig(json=True), quiet=False)
    client = make_app(token="the-token").test_client()
    secret = {"Authorization": "Bearer the-token", "X-Request-Id": "mine.1"}
    client.post("/anonymize?redact=solid&thresh=hunter2", data=COLOR, content_type="image/png", headers=secret)
    client.get("/nowhere/hunter2", headers={"Authorization": "Bearer hunter2", "X-Request-Id": "hunter2 \"'"})
    said = capsys.readouterr().err
    assert "hunter2" not in said and "the-token" not in said
    first, second = map(json.loads, said.splitlines())
    assert (first["route"], first["status"], first["request_id"]) == ("/anonymize", 400, "mine.1")
    assert (second["route"], second["status"], len(second["request_id"])) == (None, 401, 32)


def test_metrics_count_requests_boxes_and_batches(client: FlaskClient) -> None:
    post(client)
    client.get("/no/such/path")
    text = client.get("/metrics").text
    for line in (
        'blurscene_requests_total{method="POST",route="/anonymize",status="200"} 1.0',
        'blurscene_requests_total{method="any",route="none",status="404"} 1.0',
        'blurscene_boxes_total{label="license_plate"} 1.0',
        "blurscene_places_taken 0.0",
    ):
        assert line in text.splitlines()
    assert "blurscene_batch_frames_count 2.0" in text  # the picture, and the check for turned views


def test_limits_tell_every_bound_of_what_may_be_sent(client: FlaskClient) -> None:
    told = client.get("/limits").json or {}
    elsewhere = {"max_threshold", "max_mask_scale"}  # in parts of their own
    inside = {"max_pixels_at_once", "max_spool_bytes"}
    bounds = {name: value for name, value in asdict(Settings().server).items() if name.startswith("max_")}
    assert {name: told.get(name) for name in bounds.keys() - elsewhere - inside} == {
        name: value for name, value in bounds.items() if name not in elsewhere | inside
    }


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("blurscene_stream").setLevel(logging.WARNING)
