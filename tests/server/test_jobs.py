"""Videos over HTTP: jobs from the upload to the one download, and what is refused; nothing is kept after it."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from blurscene_stream.source.frames.frame_factory import FrameFactory
from tests.detectors import SquareDetector
from tests.server.conftest import MakeApp, jobs_of
from tests.videos import VideoSpec, audio_packets, make_video, read_video, square_at

SPEC = VideoSpec(12, 96, 64)
TIMEOUT_S = 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", SPEC).read_bytes()


def post(client: FlaskClient, data: bytes, query: str = "", mimetype: str = "video/mp4") -> TestResponse:
    return client.post(f"/jobs{query}", data=data, content_type=mimetype)


def form(client: FlaskClient, query: str = "", **parts: Any) -> TestResponse:
    data = {name: (io.BytesIO(part), name) if isinstance(part, bytes) else part for name, part in parts.items()}
    return client.post(f"/jobs{query}", data=data, content_type="multipart/form-data")


def ended(client: FlaskClient, answer: TestResponse) -> dict[str, Any]:
    """Wait for the end of the job that was made, and return what is told of it."""
    assert answer.status_code == 202, answer.text
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        told = client.get(answer.headers["Location"]).json
        assert told is not None
        if told["state"] in ("done", "failed"):
            assert isinstance(told, dict)
            return told
        time.sleep(0.02)
    raise AssertionError("the job does not end")


def files(app: Flask) -> list[Path]:
    return [path for path in jobs_of(app).spool.folder.glob("*/*") if path.is_file()]


def refused(answer: TestResponse, status: int, part: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json is not None and part in answer.json["error"]
    assert "/" not in answer.json["error"].replace("video/", "").replace("multipart/", "")


def test_a_video_comes_back_covered_once_and_nothing_is_kept(make_app: MakeApp, clip: bytes, tmp_path: Path) -> None:
    app = make_app()
    client = app.test_client()
    answer = post(client, clip, "?redact=solid")
    assert answer.json is not None
    job = answer.headers["Location"]
    assert re.fullmatch("/jobs/[0-9a-f]{48}", job)
    assert answer.json["links"] == {"self": job, "result": f"{job}/result", "detections": f"{job}/detections"}
    told = ended(client, answer)
    assert (told["state"], told["frames_done"], told["frames_total"], told["error"]) == ("done", 12, 12, None)
    assert told["counts"] == {"license_plate": 12}
    assert not [path for path in files(app) if path.name == "video"], "the picture as it was is not kept"
    lines = [json.loads(line) for line in client.get(told["links"]["detections"]).text.splitlines()]
    assert lines[0]["format"] == "blurscene-stream detections" and len(lines) == 13
    result = client.get(told["links"]["result"])
    assert (result.status_code, result.mimetype) == (200, "video/mp4")
    assert result.headers["Cache-Control"] == "no-store"
    (tmp_path / "out.mp4").write_bytes(result.data)
    (tmp_path / "in.mp4").write_bytes(clip)
    shown = read_video(tmp_path / "out.mp4").luma
    for number, luma in enumerate(shown):
        x0, y0, x1, y1 = square_at(number, SPEC)
        assert luma[y0:y1, x0:x1].max() < 60, "white is covered by black"
    assert len(shown) == 12
    assert audio_packets(tmp_path / "in.mp4") == audio_packets(tmp_path / "out.mp4")
    assert [client.get(link).status_code for link in told["links"].values()] == [404, 404, 404]
    assert files(app) == []


def test_hevc_stays_hevc_unless_the_request_wants_h264(make_app: MakeApp, tmp_path: Path) -> None:
    hevc = make_video(tmp_path / "clip.mp4", replace(SPEC, codec="libx265", audio=())).read_bytes()
    client = make_app({"encode.preset": "fast"}).test_client()
    codecs = []
    for query in ("", "?codec=h264"):
        result = client.get(ended(client, post(client, hevc, query))["links"]["result"])
        with av.open(io.BytesIO(result.data)) as container:
            codecs.append(container.streams.video[0].codec_context.name)
    assert codecs == ["hevc", "h264"]


def test_h264_does_without_the_quality_and_preset_of_the_servers_own_encoder(make_app: MakeApp, clip: bytes) -> None:
    client = make_app({"encode.codec": "av1", "encode.crf": 60, "encode.preset": "12"}).test_client()
    assert ended(client, post(client, clip, "?codec=h264"))["state"] == "done"


def test_files_are_for_nobody_else(make_app: MakeApp, clip: bytes) -> None:
    app = make_app()
    spool = jobs_of(app).spool.folder
    told = ended(app.test_client(), post(app.test_client(), clip))
    assert spool.stat().st_mode & 0o777 == 0o700
    assert (spool / told["id"]).stat().st_mode & 0o777 == 0o700


def test_the_detections_are_edited_and_rendered_again(make_app: MakeApp, clip: bytes, tmp_path: Path) -> None:
    app = make_app()
    client = app.test_client()
    told = ended(client, post(client, clip))
    header, *lines = client.get(told["links"]["detections"]).text.splitlines()
    box = {"label": "face", "xyxy": [0, 0, 10, 10]}
    edited = "\n".join([header, *(json.dumps(json.loads(line) | {"boxes": [box]}) for line in lines)])
    for detections in (edited, edited.encode()):  # a field, or a file
        told = ended(client, form(client, "?redact=solid", video=clip, detections=detections))
        assert (told["state"], told["counts"]) == ("done", {"face": 12})
        (tmp_path / "out.mp4").write_bytes(client.get(told["links"]["result"]).data)
        luma = read_video(tmp_path / "out.mp4").luma[0]
        x0, y0, x1, y1 = square_at(0, SPEC)
        assert luma[:8, :8].max() < 40 and luma[y0 + 4 : y1 - 4, x0 + 8 : x1 - 4].min() > 180


def test_detections_of_another_video_are_refused(make_app: MakeApp, clip: bytes, tmp_path: Path) -> None:
    client = make_app().test_client()
    told = ended(client, post(client, clip))
    lines = client.get(told["links"]["detections"]).data
    other = make_video(tmp_path / "other.mp4", VideoSpec(12, 96, 64, colour=True)).read_bytes()
    told = ended(client, form(client, video=other, detections=lines))
    assert told["state"] == "failed"
    assert told["error"].startswith("detections: line 2 is for another picture than frame 0")
    refused(client.get(told["links"]["result"]), 409, "another picture")
    told = ended(client, form(client, video=clip, detections=lines.splitlines()[0] + b"\n{}"))
    assert told["error"] == "detections: line 2 lacks 'frame'"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("?thresh=2", "thresh must be a number in [0.1, 0.9], got '2'"),
        ("?classes=dog", "classes must be"),
        ("?format=webm", "a parameter must be"),
        ("?redact=solid&redact=blur", "redact must be there once"),
        ("?codec=ffv1", "codec must be h264, got 'ffv1'"),
    ],
)
def test_options_out_of_range_are_refused(query: str, part: str, make_app: MakeApp, clip: bytes) -> None:
    app = make_app()
    refused(post(app.test_client(), clip, query), 400, part)
    assert files(app) == []


def test_options_count(make_app: MakeApp, clip: bytes) -> None:
    client = make_app().test_client()
    assert ended(client, post(client, clip, "?classes=face"))["counts"] == {}


BODIES = {  # what comes -> form or body, status, part of the message
    "empty": (b"", "video/mp4", 400, "the body is empty"),
    "picture": (b"x", "image/png", 415, "Content-Type must be video/..."),
    "form without boundary": (b"x", "multipart/form-data", 400, "the form cannot be read"),
    "form that is cut short": (
        b'--b\r\nContent-Disposition: form-data; name="video"; filename="v"\r\n\r\nxxxx',
        "multipart/form-data; boundary=b",
        400,
        "cut short",
    ),
}


@pytest.mark.parametrize("what", BODIES)
def test_bodies_that_are_refused_leave_nothing(what: str, make_app: MakeApp) -> None:
    app = make_app()
    data, mimetype, status, part = BODIES[what]
    refused(post(app.test_client(), data, mimetype=mimetype), status, part)
    assert list(jobs_of(app).spool.folder.glob("*/")) == []


@pytest.mark.parametrize(
    "parts",
    [{"detections": b"x"}, {"video": "text"}, {"video": b"x", "image": b"x"}, {"video": b"x", "detections": b""}],
)
def test_forms_of_other_parts_are_refused(parts: dict[str, Any], make_app: MakeApp) -> None:
    app = make_app()
    answer = form(app.test_client(), **parts)
    assert answer.status_code == 400
    assert list(jobs_of(app).spool.folder.glob("*/")) == []


@pytest.mark.parametrize("path", ["/jobs", "/render"])
def test_a_form_of_many_parts_is_told_so(path: str, make_app: MakeApp) -> None:
    app = make_app()
    parts = {f"part{number}": "x" for number in range(9)}
    answer = app.test_client().post(path, data=parts, content_type="multipart/form-data")
    refused(answer, 400, "the form has more than 8 parts")
    assert list(jobs_of(app).spool.folder.glob("*/")) == []


def test_a_body_beyond_the_limit_is_refused_whatever_its_header_says(make_app: MakeApp, clip: bytes) -> None:
    limits = {"server.max_video_bytes": 5000, "server.max_detections_bytes": 1000}
    app = make_app(limits)
    client = app.test_client()
    refused(post(client, clip), 413, "the body is larger than 5,000 bytes")
    refused(post(client, bytes(100_000)), 413, "the body is larger than")
    refused(form(client, video=clip), 413, "the body is larger than 6,000 bytes")
    refused(form(client, video=b"x" * 4000, detections=b"x" * 1001), 413, "detections are larger than 1,000 bytes")
    refused(form(client, video=b"x" * 4000, detections="x" * 1001), 413, "detections are larger than 1,000 bytes")
    endless = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(clip)}  # as chunked bodies come
    answer = client.post("/jobs", content_type="video/mp4", environ_overrides=endless)
    refused(answer, 413, "the body is larger than 5,000 bytes")
    assert list(jobs_of(app).spool.folder.glob("*/")) == []


def test_a_body_shorter_than_its_header_says_is_refused(make_app: MakeApp, clip: bytes) -> None:
    app = make_app()
    short = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(clip[:-1]), "CONTENT_LENGTH": str(len(clip))}
    answer = app.test_client().post("/jobs", content_type="video/mp4", environ_overrides=short)
    refused(answer, 400, "shorter than its Content-Length")
    assert list(jobs_of(app).spool.folder.glob("*/")) == []


NOT_VIDEOS = {  # what comes -> its bytes, part of the error
    "text": (b"this is no video\n" * 99, "video: cannot be read as a video"),
    "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n", "video: is a list"),
    "concat": (b"ffconcat version 1.0\nfile /etc/passwd\n", "video: is a list of other files"),
    "SDP": (
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "video: is a list",
    ),
    "address": (b"rtsp://127.0.0.1:9/live\n", "video: cannot be read as a video"),
}


@pytest.mark.parametrize("what", NOT_VIDEOS)
def test_what_is_no_video_fails_in_one_line_without_a_path(what: str, make_app: MakeApp) -> None:
    app = make_app()
    data, part = NOT_VIDEOS[what]
    told = ended(app.test_client(), post(app.test_client(), data))
    assert told["state"] == "failed"
    assert told["error"].startswith(part)
    assert "/" not in told["error"] and "\n" not in told["error"]
    assert [path.name for path in files(app)] == ["job.json"]


def test_limits_of_length_and_size(make_app: MakeApp, clip: bytes) -> None:
    client = make_app({"server.max_video_s": 0.4}).test_client()
    told = ended(client, post(client, clip))
    assert (told["error"], told["frames_done"]) == ("video: is longer than 0.4 s, the most that is taken", 0)
    client = make_app({"server.max_video_pixels": 96 * 64 - 1}).test_client()
    told = ended(client, post(client, clip))
    assert told["error"] == "video: 96x64 is more pixels than 6,143"


def test_a_header_that_says_nothing_of_the_length_does_not_help(make_app: MakeApp, tmp_path: Path) -> None:
    spec = VideoSpec(60, 96, 64, codec="mjpeg", pixel_format="yuvj420p", audio=())
    raw = make_video(tmp_path / "in.mkv", spec, {"live": "1"}).read_bytes()  # no duration
    client = make_app({"server.max_video_s": 1}).test_client()
    told = ended(client, post(client, raw))
    assert told["state"] == "failed" and 20 < told["frames_done"] < 30
    assert told["error"] == "video: is longer than 1 s, the most that is taken"


class Gate:
    """A hook of a detector: tells that it was reached, and waits to be let through, or to fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.reached, self.opened, self.error = Event(), Event(), error

    def __call__(self, frames: Sequence[Frame]) -> list[Detections] | None:
        if frames[0].picture.width != SPEC.width:  # of the first run
            return None
        self.reached.set()
        assert self.opened.wait(TIMEOUT_S)
        if self.error:
            raise self.error
        return None


def test_a_job_that_is_deleted_stops(make_app: MakeApp, clip: bytes) -> None:
    gate = Gate()
    app = make_app({"detect.batch_size": 1}, SquareDetector(gate))
    client = app.test_client()
    job = post(client, clip).headers["Location"]
    assert gate.reached.wait(TIMEOUT_S)
    assert client.get(job).json["state"] == "running"  # type: ignore[index]
    refused(client.get(f"{job}/result"), 409, "the job is running")
    assert client.delete(job).status_code == 204
    assert [client.get(job).status_code, client.delete(job).status_code] == [404, 404]
    gate.opened.set()
    told = ended(client, post(client, clip))  # the one after it has its turn
    assert told["state"] == "done"
    assert {path.parent.name for path in files(app)} == {told["id"]}


def test_jobs_wait_for_their_turn_and_more_than_the_limit_are_refused(make_app: MakeApp, clip: bytes) -> None:
    gate = Gate()
    app = make_app({"server.max_jobs": 2}, SquareDetector(gate))
    client = app.test_client()
    first = post(client, clip)
    assert gate.reached.wait(TIMEOUT_S)
    second = post(client, clip)
    assert client.get(second.headers["Location"]).json["state"] == "queued"  # type: ignore[index]
    third = post(client, clip)
    refused(third, 503, "2 jobs are here already")
    assert int(third.headers["Retry-After"]) > 0
    gate.opened.set()
    assert [ended(client, each)["state"] for each in (first, second)] == ["done", "done"]
    client.delete(first.headers["Location"])
    assert post(client, clip).status_code == 202


def test_a_full_spool_takes_no_more(make_app: MakeApp, clip: bytes) -> None:
    client = make_app({"server.max_spool_bytes": len(clip) - 1}).test_client()
    refused(post(client, clip), 413, "the server keeps")
    client = make_app({"server.max_spool_bytes": len(clip) + 9}).test_client()
    told = ended(client, post(client, clip))
    assert told["state"] == "failed" and told["error"] == "the result could not be written; nothing was left"


@pytest.mark.parametrize("error", [ValueError("/secret/path"), RuntimeError("a line\nand another")])
def test_a_detector_that_fails_leaves_nothing_to_fetch(error: Exception, make_app: MakeApp, clip: bytes) -> None:
    gate = Gate(error)
    gate.opened.set()
    app = make_app(None, SquareDetector(gate))
    client = app.test_client()
    told = ended(client, post(client, clip))
    assert (told["state"], told["error"]) == ("failed", "the detector failed; nothing was left")
    refused(client.get(told["links"]["result"]), 409, "the detector failed")
    refused(client.get(told["links"]["detections"]), 409, "the detector failed")
    assert [path.name for path in files(app)] == ["job.json"]


def test_of_an_error_in_reading_that_nobody_foresaw_a_client_is_told_no_text(
    make_app: MakeApp, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise IndexError("/secret/path")

    monkeypatch.setattr(FrameFactory, "make", fail)
    client = make_app().test_client()
    told = ended(client, post(client, clip))
    assert (told["state"], told["error"]) == ("failed", "the video could not be read; nothing was left")


def test_what_is_not_fetched_is_deleted_in_time(make_app: MakeApp, clip: bytes) -> None:
    app = make_app({"server.job_lifetime_s": 0.5})
    client = app.test_client()
    told = ended(client, post(client, clip))
    deadline_s = time.monotonic() + TIMEOUT_S
    while files(app) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert files(app) == []
    assert client.get(told["links"]["self"]).status_code == 404


def dark_noise(number: int, spec: VideoSpec) -> NDArray[np.uint8]:
    """A picture that compresses badly, in which nothing is found; of more levels than what is scanned once more."""
    noise = np.random.default_rng(number).integers(0, 150, (spec.height, spec.width, 3), np.uint8)
    noise[:, spec.width // 2 :] += 30
    return noise


def test_a_download_that_is_broken_off_can_be_done_again(make_app: MakeApp, tmp_path: Path) -> None:
    raw = make_video(tmp_path / "in.mp4", VideoSpec(5, 320, 240, audio=()), draw=dark_noise).read_bytes()
    client = make_app().test_client()
    told = ended(client, post(client, raw))
    link = told["links"]["result"]
    with client.head(link) as head:
        assert head.status_code == 200
    with client.get(link, buffered=False) as broken:
        size = int(broken.headers["Content-Length"])
        assert 0 < len(next(broken.iter_encoded())) < size
    whole = client.get(link)
    assert (whole.status_code, len(whole.data)) == (200, size)
    assert client.get(link).status_code == 404


def test_an_id_is_the_only_way_to_a_job(make_app: MakeApp, clip: bytes) -> None:
    client = make_app().test_client()
    told = ended(client, post(client, clip))
    unknown = "/jobs/" + "0" * 48
    bodies = []
    for path in (unknown, "/jobs/..%2f" + told["id"], "/jobs/" + told["id"][:-1], "/jobs/" + told["id"].upper()):
        for method in ("get", "delete"):
            answer = getattr(client, method)(path)
            assert answer.status_code == 404
            assert answer.json is not None
            bodies.append(answer.json["error"])
    client.delete(told["links"]["self"])
    bodies.append(client.get(told["links"]["self"]).json["error"])  # type: ignore[index]
    assert len(set(bodies)) == 1
    assert client.get("/jobs").status_code == 405


def test_a_job_needs_the_token(make_app: MakeApp, clip: bytes) -> None:
    app = make_app(token="secret")
    client = app.test_client()
    for answer in (post(client, clip), client.get("/jobs/" + "0" * 48), client.delete("/jobs/" + "0" * 48)):
        assert answer.status_code == 401
    assert files(app) == []
