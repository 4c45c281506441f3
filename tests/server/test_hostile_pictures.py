"""Pictures that are broken, odd or made to do harm, over HTTP: an answer of one line, or a covered picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from io import BytesIO

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import SQUARE, exif_of, file_of, png_chunk, read_back, samples_of, turned
from tests.profiles import examples
from tests.server.conftest import MakeApp

FORMATS = ("jpeg", "png", "webp", "tiff", "bmp")
NOT_THERE = b"PK\x03\x04 what a stranger hid /etc/passwd"
X0, Y0, X1, Y1 = SQUARE

whole = cache(lambda form: file_of(samples_of(3), form))


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A small picture, cut, with other bytes, with more bytes, or a part of another in its place."""
    form = draw(st.sampled_from(FORMATS))
    data = bytearray(whole(form))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("cut", "change", "add", "repeat", "mix"))):
            case "cut":
                del data[at : at + draw(st.integers(1, 400))]
            case "change":
                data[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
            case "add":
                data[at:at] = draw(st.binary(min_size=1, max_size=64))
            case "repeat":
                data[at:at] = data[at : at + 64]
            case "mix":
                data[at:] = whole(draw(st.sampled_from(FORMATS)))[at:]
    return form, bytes(data)


@examples(2000, [HealthCheck.function_scoped_fixture])  # the application keeps nothing of a picture
@given(picture=broken())
def test_a_broken_picture_is_covered_or_refused_in_one_line(client: FlaskClient, picture: tuple[str, bytes]) -> None:
    form, data = picture
    answer = client.post("/anonymize", data=data, content_type=f"image/{form}")
    assert answer.status_code in (200, 400, 413), answer.text
    if answer.status_code == 200:
        assert int(answer.headers["X-Blurscene-Boxes"]) >= 0
        read_back(answer.data)
        return
    assert answer.json is not None
    line = answer.json["error"]
    assert line.isprintable() and not re.search(r"/\w|0x|Error|Traceback|line \d", line), line


def rotated() -> bytes:
    return file_of(turned(samples_of(3), 6), "png", exif=exif_of(6))


def sixteen_bit() -> bytes:
    made = BytesIO()
    Image.fromarray(np.full((60, 80), 40_000, np.uint16)).save(made, "png")
    return made.getvalue()


def cmyk() -> bytes:
    made = BytesIO()
    Image.fromarray(samples_of(3)).convert("CMYK").save(made, "jpeg")
    return made.getvalue()


def animated(form: str) -> bytes:
    made = BytesIO()
    first, *more = (Image.fromarray(samples_of(3, seed)) for seed in range(3))
    first.save(made, form, save_all=True, append_images=more)
    return made.getvalue()


def bomb() -> bytes:
    header = png_chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0)))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def test_a_picture_on_its_side_comes_back_upright_and_covered(client: FlaskClient) -> None:
    answer = client.post("/anonymize?redact=solid&mask_scale=1", data=rotated(), content_type="image/png")
    shown = read_back(answer.data)
    assert shown.shape == samples_of(3).shape
    assert (shown[Y0:Y1, X0:X1] == shown[Y0, X0]).all()
    assert np.array_equal(shown[:, : X0 - 4], samples_of(3)[:, : X0 - 4])
    assert len(Image.open(BytesIO(answer.data)).getexif()) == 0


@pytest.mark.parametrize(
    ("make", "status", "line"),
    [
        (sixteen_bit, 400, "16"),
        (cmyk, 400, "CMYK"),
        (lambda: animated("webp"), 400, "pictures"),
        (lambda: animated("png"), 400, "pictures"),
        (lambda: animated("gif"), 400, "format"),
        (bomb, 413, "pixels"),
    ],
)
def test_what_cannot_be_covered_whole_is_refused(
    client: FlaskClient, make: Callable[[], bytes], status: int, line: str
) -> None:
    answer = client.post("/anonymize", data=make(), content_type="image/*")
    assert answer.status_code == status, answer.text
    assert answer.json is not None and line in answer.json["error"]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_that_lies_behind_a_picture_comes_through(client: FlaskClient, form: str) -> None:
    answer = client.post("/anonymize", data=whole(form) + NOT_THERE, content_type=f"image/{form}")
    assert answer.status_code in (200, 400)
    assert NOT_THERE not in answer.data and b"passwd" not in answer.data


def test_nothing_of_a_picture_is_in_the_log(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_app().test_client()
    for data in (NOT_THERE, whole("png")[:50] + NOT_THERE, whole("jpeg")[:200] + NOT_THERE):
        client.post("/anonymize", data=data, content_type="image/png")
    shown = capsys.readouterr()
    assert "stranger" not in shown.out + shown.err + caplog.text and "passwd" not in caplog.text
