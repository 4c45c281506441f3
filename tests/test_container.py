"""The container image: its scripts, its lock files and its labels; scripts/try_container builds and runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement

from blurscene_stream.config import load_settings
from tests.conftest import ROOT
from tests.test_scripts import SHELL_SCRIPTS

DOCKER = ROOT / "docker"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCKS = sorted(DOCKER.glob("*.lock"))


def _linter(name: str) -> str:
    beside_python = Path(sys.executable).parent / name
    program = str(beside_python) if beside_python.exists() else shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed; it is in the extra 'dev'")
    return program


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    ended = subprocess.run([_linter("hadolint"), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    command = [_linter("shellcheck"), "--external-sources", *SHELL_SCRIPTS, "docker/entrypoint", "docker/slim"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    ]
    assert len(copied) > 5
    for name in copied:
        assert list(ROOT.glob(name)), name
        assert f"!{name.split('/')[0]}" in ignored


def test_the_label_has_the_version_of_the_package() -> None:
    (version,) = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert f'org.opencontainers.image.version="{version}"' in DOCKERFILE


def _locked(lock: Path) -> list[Requirement]:
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [Requirement(line.rstrip(" \\")) for line in lines if line and line[0] not in " #"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_one_version_and_checksums(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9-]+==\S+( ;.*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+$", block), block


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
def test_the_lock_files_fit_pyproject(python: str) -> None:
    """What scripts/lock would change is seen here, be it a new dependency or a new lower bound."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (needed,) = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    (server,) = re.findall(r"^server = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    environment = {"python_full_version": python, "sys_platform": "linux", "platform_machine": "x86_64"}
    locked = {
        each.name: str(each.specifier).removeprefix("==")
        for lock in LOCKS
        if lock.stem != "build"
        for each in _locked(lock)
        if each.marker is None or each.marker.evaluate(environment)
    }
    for wanted in map(Requirement, re.findall('"(.*?)"', needed + server)):
        if wanted.marker is not None and not wanted.marker.evaluate(environment):
            continue
        assert locked[wanted.name.lower()] in wanted.specifier, f"{wanted}: run scripts/lock"


def test_pytorch_is_in_one_flavour_alone() -> None:
    assert "torch" in {each.name for each in _locked(DOCKER / "cuda.lock")}
    assert "torch" not in {each.name for each in _locked(DOCKER / "requirements.lock")}


@pytest.mark.parametrize(
    ("given", "called"),
    [
        (["in.mp4", "out put.mp4"], "blurscene-stream [in.mp4] [out put.mp4]"),
        ([], "blurscene-stream"),
        (["serve"], "gunicorn [--config=/etc/blurscene/gunicorn.py] [blurscene_stream.server:app]"),
        (["serve", "--help"], "blurscene-stream [serve] [--help]"),
    ],
)
def test_the_entry_point_calls_the_program_or_gunicorn(tmp_path: Path, given: list[str], called: str) -> None:
    for name in ("blurscene-stream", "gunicorn"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "{name}"\n[ $# = 0 ] || printf " [%s]" "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    ended = _run_entry_point(given, f"{tmp_path}:/usr/bin:/bin")
    assert (ended.returncode, ended.stdout) == (0, called)


def test_serve_takes_no_options_in_a_container() -> None:
    ended = _run_entry_point(["serve", "--port", "80"], "/usr/bin:/bin")
    assert ended.returncode == 2
    assert ended.stderr == (
        "blurscene-stream: error: serve takes no options in a container: set PORT, WORKERS, WORKER_TIMEOUT, LOG_LEVEL, "
        "and settings as BLURSCENE_... or in the file BLURSCENE_CONFIG\n"
    )


def _run_entry_point(given: list[str], path: str) -> subprocess.CompletedProcess[str]:
    command = [str(DOCKER / "entrypoint"), *given]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


SERVICE_KEYS = {  # of compose-spec/05-services.md, those that are used here
    "image": str,
    "command": str,
    "read_only": bool,
    "tmpfs": str,
    "cap_drop": list,
    "security_opt": list,
    "ports": list,
    "environment": dict,
    "restart": str,
}


def test_the_compose_file_of_the_docs_starts_the_service_that_they_describe() -> None:
    docs = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(services:.*?)```", docs, re.DOTALL)
    (service,) = yaml.safe_load(text)["services"].values()
    assert {name: type(value) for name, value in service.items()} == SERVICE_KEYS
    assert f"docker build -t {service['image']} " in docs
    assert service["command"] == "serve" and service["tmpfs"].startswith("/tmp")
    (port,) = re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE)
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    variables = service["environment"]
    assert load_settings(environment=variables).server.max_video_s == 120
    others = {name for name in variables if not name.startswith("BLURSCENE_")}
    assert others <= set(re.findall(r"^([A-Z_]+) ", (ROOT / "config" / "gunicorn.py").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def healthcheck() -> ModuleType:
    loader = SourceFileLoader("healthcheck", str(DOCKER / "healthcheck"))
    spec = spec_from_loader("healthcheck", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def server() -> Iterator[tuple[int, dict[str, int]]]:
    """The port of an HTTP server, and the status that it answers on each path."""
    statuses: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.path])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening.server_port, statuses
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("command", "statuses", "code"),
    [
        (b"/opt/blurscene/bin/python\0/opt/blurscene/bin/gunicorn\0--config=x\0", {"/healthz": 200, "/readyz": 200}, 0),
        (b"/opt/blurscene/bin/python\0/opt/blurscene/bin/gunicorn\0--config=x\0", {"/healthz": 200, "/readyz": 503}, 1),
        (b"/opt/blurscene/bin/python\0/opt/blurscene/bin/gunicorn\0--config=x\0", {"/healthz": 503, "/readyz": 200}, 1),
        (b"/opt/blurscene/bin/python\0/opt/blurscene/bin/blurscene-stream\0gunicorn\0out.mp4\0", {}, 0),
    ],
)
def test_a_server_is_well_when_it_says_so_and_a_run_on_a_file_always(
    command: bytes,
    statuses: dict[str, int],
    code: int,
    healthcheck: ModuleType,
    server: tuple[int, dict[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, answers = server
    answers.update(statuses)
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "cmdline").write_bytes(command)
    assert healthcheck.main(tmp_path) == code


def test_a_server_that_does_not_listen_is_ill(
    healthcheck: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "1")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "cmdline").write_bytes(b"python\0gunicorn\0")
    assert healthcheck.main(tmp_path) == 1
