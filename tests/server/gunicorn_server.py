"""A gunicorn in a process of its own, with a detector that needs no weights."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.conftest import ROOT

TIMEOUT_S = 60
FILE_LIMIT_BYTES = 40_000
METRICS = "numbers"  # a folder in the spool that is no job's


class Server:
    """A gunicorn, its workers and its spool.

    slow_s:      what each frame of a video takes
    limit_files: no file may be larger than FILE_LIMIT_BYTES
    variables:   of its environment
    """

    def __init__(
        self,
        folder: Path,
        slow_s: float,
        limit_files: bool = False,
        workers: int = 2,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.spool, self.log = folder / "spool", folder / "log"
        self.count = 1 if limit_files else workers  # several have large files for /metrics
        environment = os.environ | {
            "WORKERS": str(self.count),
            "PORT": str(self.port),
            "SLOW_S": str(slow_s),
            "BLURSCENE_SERVER__SPOOL_FOLDER": str(self.spool),
            "BLURSCENE_DETECT__BATCH_SIZE": "1",
            "PYTHONPATH": str(ROOT),
            **variables,
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

    def ask(self, method: str, path: str, body: bytes | None = None, mimetype: str = "video/mp4") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": mimetype})
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
        paths = self.spool.glob("blurscene-stream-spool-*/*/*")
        return [path for path in paths if path.is_file() and path.parent.name != METRICS]

    def folders(self) -> list[Path]:
        """Those of jobs."""
        return [path for path in self.spool.glob("*/*") if path.is_dir() and path.name != METRICS]

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
