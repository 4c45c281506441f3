"""Jobs under gunicorn, with two workers: each answers for all jobs, and nothing outlives its server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.gunicorn_server import FILE_LIMIT_BYTES, Server, until
from tests.server.test_jobs import dark_noise
from tests.videos import VideoSpec, make_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_video(path, VideoSpec(30, 96, 64), {"movflags": "faststart"}).read_bytes()


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_video(tmp_path_factory.mktemp("clip") / "short.mp4", VideoSpec(2, 96, 64)).read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each frame takes 0.1 s."""
    started = Server(tmp_path_factory.mktemp("server"), slow_s=0.1)
    yield started
    started.close()


def test_every_worker_answers_for_a_job_and_one_download_ends_it(server: Server, clip: bytes) -> None:
    job = server.post(clip)
    until(lambda: server.told(job)["state"] == "running")
    frames = [server.told(job)["frames_done"] for _ in range(12)]  # each over a connection of its own
    assert frames == sorted(frames)
    assert {path.stat().st_mode & 0o777 for path in server.files()} == {0o600}
    until(lambda: server.told(job)["state"] == "done")
    assert server.ask("GET", f"{job}/detections")[0] == 200
    status, video = server.ask("GET", f"{job}/result")
    assert (status, video[4:8]) == (200, b"ftyp")
    until(lambda: server.ask("GET", job)[0] == 404 and server.files() == [])
    log = server.log.read_text()
    assert job.rpartition("/")[2] not in log and "blurscene-stream-spool" not in log


def test_a_job_whose_worker_is_killed_has_failed(server: Server, clip: bytes) -> None:
    job = server.post(clip)
    until(lambda: server.told(job)["frames_done"] > 0)
    os.kill(server.holder(job), signal.SIGKILL)
    until(lambda: server.told(job)["state"] == "failed")
    assert server.told(job)["error"] == "the server process that worked on it has ended; send the video again"
    assert [path.name for path in server.files()] == ["job.json"]
    assert server.ask("GET", f"{job}/result")[0] == 409
    until(server._ready)
    assert server.ask("DELETE", job)[0] == 204


def test_a_job_that_is_deleted_in_mid_run_leaves_nothing(server: Server, clip: bytes) -> None:
    job = server.post(clip)
    until(lambda: server.told(job)["frames_done"] > 0)
    assert server.ask("DELETE", job)[0] == 204
    assert server.ask("GET", job)[0] == 404
    assert server.files() == []
    after = server.post(clip)
    until(lambda: server.told(after)["frames_done"] > 0)
    assert server.ask("DELETE", after)[0] == 204


def request_result(server: Server, job: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(f"GET {job}/result HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
    return connection


def test_a_result_that_was_sent_and_not_taken_can_be_fetched_again(server: Server, short_clip: bytes) -> None:
    job = server.post(short_clip)
    until(lambda: server.told(job)["state"] == "done")
    with request_result(server, job) as connection:
        time.sleep(0.2)  # it is small: all of it is in the system's buffers by now
        connection.recv(100)
    time.sleep(0.2)
    assert server.told(job)["state"] == "done", "what the client left untaken is not lost"
    with request_result(server, job) as connection:  # it could send more requests, and does not close
        data = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        assert len(data) > int(re.findall(rb"Content-Length: (\d+)", data)[0])
        assert server.told(job)["state"] == "done"
    until(lambda: server.ask("GET", job)[0] == 404 and server.files() == [])


def test_an_upload_that_is_broken_off_leaves_nothing(server: Server, clip: bytes) -> None:
    for header in (
        b"Content-Length: 100000\r\n\r\n" + clip[:9000],
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n9",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n" + header)
            until(server.files)
    until(lambda: server.folders() == [])


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit of util-linux")
def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    server = Server(tmp_path, slow_s=0, limit_files=True)
    try:
        noisy = VideoSpec(60, 160, 120, codec="mpeg4", options={"b": "5M"}, audio=("pcm_s16le",))
        source = make_video(tmp_path / "in.mov", noisy).read_bytes()
        assert len(source) > FILE_LIMIT_BYTES
        assert server.ask("POST", "/jobs", source)[0] == 503
        assert server.files() == []
        spec = VideoSpec(60, 320, 240, audio=(), options={"crf": "37"})  # its result is larger
        small = make_video(tmp_path / "in.mp4", spec, draw=dark_noise).read_bytes()
        assert len(small) < FILE_LIMIT_BYTES
        job = server.post(small)
        until(lambda: server.told(job)["state"] in ("done", "failed"))
        assert server.told(job)["error"] == "the result could not be written; nothing was left"
        assert [path.name for path in server.files()] == ["job.json"]
    finally:
        server.close()


def test_the_end_of_the_server_deletes_all_and_what_a_killed_one_has_left_goes_at_the_next_start(
    tmp_path: Path, clip: bytes
) -> None:
    killed = Server(tmp_path, slow_s=1)
    job = killed.post(clip)
    until(lambda: killed.told(job)["state"] == "running")
    workers = killed.workers
    killed.process.kill()
    killed.process.wait()
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert len(list(killed.spool.iterdir())) == 1
    server = Server(tmp_path, slow_s=1)
    try:
        assert killed.files() == []
        assert len(list(server.spool.iterdir())) == 1
        job = server.post(clip)
        until(lambda: server.told(job)["state"] == "running")
    finally:
        start_s = time.monotonic()
        server.close()
    assert time.monotonic() - start_s < 20
    assert list(server.spool.iterdir()) == []
