"""POST /anonymize and POST /detect."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from blurscene_stream.api import Anonymizer
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from tests.detectors import CLASSES, SquareDetector
from tests.pictures import SQUARE, file_of, read_back, samples_of
from tests.server.conftest import MakeApp

COLOR = file_of(samples_of(3), "png")
X0, Y0, X1, Y1 = SQUARE


@pytest.mark.parametrize(
    ("form", "answered"), [("jpeg", "jpeg"), ("png", "png"), ("webp", "png"), ("tiff", "png"), ("bmp", "png")]
)
def test_a_picture_comes_back_covered_in_the_format_of_blurscene(client: FlaskClient, form: str, answered: str) -> None:
    data = file_of(samples_of(3), form)
    answer = client.post("/anonymize", data=data, content_type=f"image/{form}")
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == f"image/{answered}"
    assert answer.headers["Content-Disposition"] == f"inline; filename=anon_image.{answered}"
    assert answer.data == Anonymizer(Settings(), load_detector=SquareDetector().load).image_bytes(data, answered)
    assert (read_back(answer.data) != samples_of(3)).any()


def test_headers_count_what_is_covered(client: FlaskClient) -> None:
    headers = client.post("/anonymize", data=COLOR, content_type="image/png").headers
    counted = {name: value for name, value in headers.items() if name.startswith("X-Blurscene-")}
    assert counted == {"X-Blurscene-Boxes": "1", "X-Blurscene-Face": "0", "X-Blurscene-License-Plate": "1"}
    assert headers["Cache-Control"] == "no-store"


def test_a_form_with_a_file_is_taken_as_well(client: FlaskClient) -> None:
    plain = client.post("/anonymize", data=COLOR, content_type="image/png").data
    assert client.post("/anonymize", data={"image": (BytesIO(COLOR), "a.png")}).data == plain


def test_the_lowest_threshold_hides_nothing_that_is_covered_without_one(make_app: MakeApp) -> None:
    """The page asks for it, and covers no more than it is told."""
    box, scores = np.array([[40, 30, 60, 40]], np.float32), np.array([0.05], np.float32)
    faint = Detections(box, scores, np.ones(1, np.int64), CLASSES)
    detector = SquareDetector(lambda frames: [faint] * len(frames))
    client = make_app({"classes.license_plate.threshold": 0.04}, detector).test_client()
    lowest = client.get("/limits").get_json()["thresh"]["min"]
    for path in ("/detect", f"/detect?classes=face,license_plate&thresh={lowest}"):
        answer = client.post(path, data=COLOR, content_type="image/png")
        assert [each["score"] for each in answer.get_json()["boxes"]] == [0.05], answer.text


def test_detect_answers_with_the_boxes(client: FlaskClient) -> None:
    answer = client.post("/detect", data=COLOR, content_type="image/png")
    boxes = [{"label": "license_plate", "score": 1.0, "xyxy": [float(edge) for edge in SQUARE]}]
    assert answer.json == {"width": 80, "height": 60, "boxes": boxes}


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("thresh=2", "thresh must be a number in [0.1, 0.9], got '2'"),
        ("thresh=nan", "thresh must be a number in [0.1, 0.9], got 'nan'"),
        ("thresh=0.05", "thresh must be a number in [0.1, 0.9], got '0.05'"),
        ("thresh=0.5&thresh=0.6", "thresh must be there once, got ['0.5', '0.6']"),
        ("classes=face,dog", "classes must be a list of face or license_plate with commas between, got 'dog'"),
        ("classes=", "classes must be a list of face or license_plate with commas between, got ''"),
        ("redact=none", "redact must be mosaic, solid or blur, got 'none'"),
        ("mask_scale=0.5", "mask_scale must be a number in [1, 4], got '0.5'"),
        ("treshold=0.5", "a parameter must be one of thresh, classes, redact, mask_scale, got 'treshold'"),
    ],
)
def test_an_option_that_is_not_allowed_is_refused_with_what_is(client: FlaskClient, query: str, line: str) -> None:
    answer = client.post(f"/anonymize?{query}", data=COLOR, content_type="image/png")
    assert (answer.status_code, answer.json["error"] if answer.json else "") == (400, line)


def test_options_change_what_is_covered_and_how(client: FlaskClient) -> None:
    def shown(query: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return read_back(client.post(f"/anonymize?{query}", data=COLOR, content_type="image/png").data)

    assert np.array_equal(shown("classes=face"), samples_of(3))
    assert len(np.unique(shown("redact=solid&mask_scale=1")[Y0:Y1, X0:X1])) == 1
    covered_px = [int((shown(f"mask_scale={scale}") != samples_of(3)).any(axis=2).sum()) for scale in (1, 2, 4)]
    assert covered_px == sorted(set(covered_px))


@pytest.mark.parametrize(
    ("body", "content_type", "status", "line"),
    [
        (b"", "image/png", 400, "the body is empty"),
        (COLOR, "text/plain", 415, "Content-Type must be image/..."),
        (COLOR[:-20], "image/png", 400, "the file is cut short"),
        (b"hello", "image/png", 400, "not a picture in one of the formats that are read"),
        (COLOR, "multipart/form-data", 400, "the form must have the part image once, and no others; it has none"),
        (
            {"file": (BytesIO(COLOR), "a.png")},
            "multipart/form-data",
            400,
            "the form must have the part image once, and no others; it has ['file']",
        ),
    ],
)
def test_what_is_no_picture_is_refused(
    client: FlaskClient, body: Any, content_type: str, status: int, line: str
) -> None:
    answer = client.post("/anonymize", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json and answer.json["error"].startswith(line)


def test_what_is_too_large_is_refused(make_app: MakeApp) -> None:
    small = {"server.max_body_bytes": len(COLOR) - 1}
    answer = make_app(small).test_client().post("/anonymize", data=COLOR, content_type="image/png")
    assert answer.status_code == 413
    assert answer.json
    assert answer.json["error"] == f"the body is larger than {len(COLOR) - 1:,} bytes, the most that is taken"
    answer = (
        make_app({"server.max_pixels": 4799}).test_client().post("/anonymize", data=COLOR, content_type="image/png")
    )
    assert answer.status_code == 413
    assert answer.json and answer.json["error"].startswith("80x60 is more than 4,799 pixels")


JSON_LINES = {"Accept": "application/jsonl"}


def render(client: FlaskClient, picture: bytes, detections: str, query: str = "") -> TestResponse:
    form = {"image": (BytesIO(picture), "a.png"), "detections": (BytesIO(detections.encode()), "a.jsonl")}
    return client.post(f"/render{query}", data=form)


def test_what_detect_says_is_what_render_takes(client: FlaskClient) -> None:
    found = client.post("/detect", data=COLOR, content_type="image/png", headers=JSON_LINES)
    assert found.mimetype == "application/jsonl"
    covered = client.post("/anonymize", data=COLOR, content_type="image/png")
    again = render(client, COLOR, found.text)
    assert (again.status_code, again.data) == (200, covered.data)
    assert again.headers["X-Blurscene-License-Plate"] == "1"
    as_field = {"image": (BytesIO(COLOR), "a.png"), "detections": found.text}
    assert client.post("/render", data=as_field).data == covered.data


def test_render_covers_what_the_edited_file_says(client: FlaskClient) -> None:
    header, line = client.post("/detect", data=COLOR, content_type="image/png", headers=JSON_LINES).text.splitlines()
    boxes = [{"label": "face", "xyxy": [4, 30, 24, 50]}]
    edited = f"{header}\n{json.dumps(json.loads(line) | {'boxes': boxes})}\n"
    shown = read_back(render(client, COLOR, edited, "?redact=solid&mask_scale=1").data)
    assert np.ptp(shown[30:50, 4:24]) == 0
    assert np.array_equal(shown[Y0:Y1, X0:X1], samples_of(3)[Y0:Y1, X0:X1])


def test_render_refuses_a_file_that_does_not_fit(client: FlaskClient) -> None:
    text = client.post("/detect", data=COLOR, content_type="image/png", headers=JSON_LINES).text
    other = file_of(samples_of(3, seed=1), "png")
    for picture, detections, said in (
        (other, text, "detections: line 2 is for another picture than frame 0"),
        (COLOR, text.replace('"license_plate", "score"', '"dog", "score"'), "detections: line 2 box 1: label must be"),
        (COLOR, text[:-10], "detections: line 2"),
        (COLOR, "{}", "detections: is no file of detections that can be used: line 1"),
    ):
        answer = render(client, picture, detections)
        assert (answer.status_code, answer.json and answer.json["error"][: len(said)]) == (400, said)
    assert render(client, COLOR, text, "?thresh=0.5").status_code == 400
