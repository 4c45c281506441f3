"""The service as it is run: gunicorn in a process of its own, with the real network, over real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pictures import file_of, samples_of

PATIENCE_S = 60
COLOR = file_of(samples_of(3), "png")
GUNICORN = ["-m", "gunicorn", "--config=config/gunicorn.py", "blurscene_stream.server:app"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as answer:
            return answer.status, answer.read()


@contextmanager
def started(log: Path, port: int, command: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"PORT": str(port), "BLURSCENE_DETECT__SIZE_PX": "128"} | variables
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stderr=file, stdout=file)
    try:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s and process.poll() is None:
            try:
                if ask(port, "GET", "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_gunicorn_serves_pictures_and_its_log_tells_no_secret(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    with started(log, port, GUNICORN, BLURSCENE_TOKEN="hunter2", BLURSCENE_SERVER__MAX_BODY_BYTES="20000") as process:
        png = {"Content_Type": "image/png", "Authorization": "Bearer hunter2"}
        status, picture = ask(port, "POST", "/anonymize?redact=solid", COLOR, **png)
        assert (status, picture[:4]) == (200, b"\x89PNG")
        assert ask(port, "POST", "/anonymize?thresh=hunter2", COLOR, **png)[0] == 400
        assert ask(port, "POST", "/anonymize", bytes(20001), **png)[0] == 413
        assert ask(port, "POST", "/anonymize", COLOR, Content_Type="image/png")[0] == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    said = log.read_text()
    assert "hunter2" not in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if line.get("route") == "/anonymize"] == [200, 400, 413, 401]


def test_serve_answers_this_computer_alone_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    with started(log, port, ["-m", "blurscene_stream", "serve", "--port", str(port)]) as process:
        assert ask(port, "POST", "/detect", COLOR, Content_Type="image/png")[0] == 200
        assert ask(port, "GET", "/limits", Host="evil.test")[0] == 400
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert "Traceback" not in log.read_text()


def test_serve_where_another_program_listens_says_so_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "blurscene_stream", "serve", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[1:] == [
        f"blurscene-stream: error: 127.0.0.1:{port}: address already in use; choose another --port, or --host"
    ]


@pytest.mark.parametrize("variable", ["BLURSCENE_TOKEN", "BLURSCENE_MODEL__WEIGHTS"])
def test_what_cannot_start_says_why_in_one_line(variable: str, tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path / "log", port, GUNICORN, **{variable: " " if "TOKEN" in variable else "none.pt"}) as process:
        assert process.wait(PATIENCE_S) != 0
    said = (tmp_path / "log").read_text()
    assert "blurscene-stream: error: " in said and "Traceback" not in said
