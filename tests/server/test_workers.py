"""Jobs under gunicorn, with two workers: each answers for all jobs, and nothing outlives its server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.server.test_jobs import dark_noise
from tests.videos import VideoSpec, make_video

TIMEOUT_S = 60
FILE_LIMIT_BYTES = 40_000


class Server:
    """A gunicorn of two workers, and its spool."""

    def __init__(self, folder: Path, slow_s: float, limit_files: bool = False) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.spool, self.log = folder / "spool", folder / "log"
        self.count = 1 if limit_files else 2  # two have large files for /metrics
        environment = os.environ | {
            "WORKERS": str(self.count),
            "PORT": str(self.port),
            "SLOW_S": str(slow_s),
            "BLURSCENE_SERVER__SPOOL_FOLDER": str(self.spool),
            "BLURSCENE_DETECT__BATCH_SIZE": "1",
            "PYTHONPATH": str(ROOT),
        }
        gunicorn = [sys.executable, "-m", "gunicorn", "--config=config/gunicorn.py", "tests.server.slow_app:app"]
        limit = ["prlimit", f"--fsize={FILE_LIMIT_BYTES}"] if limit_files else []
        command = [*limit, *gunicorn]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, stdout=log)
        until(self._ready)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return all(self.ask("GET", "/readyz")[0] == 200 for _ in range(4)) and len(self.workers) == self.count
        return False

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "video/mp4"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def post(self, video: bytes) -> str:
        answers: list[tuple[int, bytes]] = []

        def taken() -> bool:
            answers.append(self.ask("POST", "/jobs", video))
            return b"not ready" not in answers[-1][1]  # the worker that took it has just been started

        until(taken)
        status, body = answers[-1]
        assert status == 202, body
        return str(json.loads(body)["links"]["self"])

    def told(self, job: str) -> dict[str, Any]:
        status, body = self.ask("GET", job)
        assert status == 200, body
        found = json.loads(body)
        assert isinstance(found, dict)
        return found

    def files(self) -> list[Path]:
        return [path for path in self.spool.glob("blurscene-stream-spool-*/*/*") if path.is_file()]

    def holder(self, job: str) -> int:
        """The worker that runs a job: it has the video open."""
        (video,) = self.spool.glob(f"*/{job.rpartition('/')[2]}/video")
        for pid in self.workers:
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink() == video:
                        return pid
        raise AssertionError("nobody runs the job")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(TIMEOUT_S)


def until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_video(path, VideoSpec(30, 96, 64), {"movflags": "faststart"}).read_bytes()


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


def test_an_upload_that_is_broken_off_leaves_nothing(server: Server, clip: bytes) -> None:
    for header in (
        b"Content-Length: 100000\r\n\r\n" + clip[:9000],
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n9",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n" + header)
            until(server.files)
    until(lambda: server.files() == [])
    assert list(server.spool.glob("*/*/")) == []


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit of util-linux")
def test_a_disk_that_is_full_is_told_of(tmp_path: Path) -> None:
    server = Server(tmp_path, slow_s=0, limit_files=True)
    try:
        noisy = VideoSpec(60, 160, 120, codec="mpeg4", options={"b": "5M"}, audio=("pcm_s16le",))
        source = make_video(tmp_path / "in.mov", noisy).read_bytes()
        assert len(source) > FILE_LIMIT_BYTES
        assert server.ask("POST", "/jobs", source)[0] == 503
        assert server.files() == []
        spec = VideoSpec(60, 320, 240, audio=(), options={"crf": "40"})  # its result is larger
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
