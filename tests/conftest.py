"""Fixtures for all tests."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Generator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from blurscene_stream.config.schema import Backend, DetectConfig, ModelConfig
from blurscene_stream.detect.backends.loading import load_network
from blurscene_stream.detect.backends.network import Network
from blurscene_stream.detect.device import is_installed
from tests.profiles import load_profile
from tests.videos import VideoSpec, make_video

load_profile()

# Tests start the program hundreds of times: to compile all of it each time takes longer than to run it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).parent.parent


_IMPORTS_TORCH = re.compile(
    r"^(import torch|from (torch|scripts\.training|tests\.training|tests\.detect\.networks)"
    r"|from blurscene_stream\.detect\.(backends\.torch|torchvision_model))\b",
    re.MULTILINE,
)
WITHOUT_TORCH = [
    str(path)
    for path in sorted(Path(__file__).parent.rglob("test_*.py"))
    if not (is_installed("torch") or os.environ.get("FAIL_WITHOUT_TORCH"))
    and _IMPORTS_TORCH.search(path.read_text(encoding="utf-8"))
]
"""Files that are not collected where torch is missing: what they test cannot be imported."""
collect_ignore = WITHOUT_TORCH


def pytest_report_header() -> list[str]:
    """Say which files are left out for want of torch."""
    names = ", ".join(Path(path).name for path in WITHOUT_TORCH)
    return [f"torch is not installed, so these files are left out: {names}"] if names else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clip-size", type=int, default=0, help="detect.size_px for the real clips; 0: small")
    parser.addoption(
        "--backend",
        choices=[each.name for each in Backend],
        default="auto",
        help="detect.backend where a test has auto",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the networks in the library of --backend, in this process, where a test does not choose another."""
    taken = Backend[config.getoption("--backend")]

    def load_in_taken(model: ModelConfig, device: str, detect: DetectConfig) -> Network:
        return load_network(model, device, replace(detect, backend=taken) if detect.backend is Backend.auto else detect)

    if taken is not Backend.auto:
        pytest.MonkeyPatch().setattr("blurscene_stream.detect.loading.load_network", load_in_taken)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: tests of cameras, servers and signals mostly wait."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


LONG = ("test_real_clips.", "/rtsp/", "/page/", "test_pipes.", "test_signals.", "test_onnx_file.", "test_full_disks.")
"""Parts of the names of files that take longest, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: a worker that gets one last works alone."""

    def place(item: pytest.Item) -> int:
        return next((place for place, part in enumerate(LONG) if part in str(item.path)), len(LONG))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _untouched_logs() -> None:
    """Every test begins with the log as Python has it: a fixture of a module may have run the program before."""
    log = logging.getLogger("blurscene_stream")
    log.handlers[:], log.propagate = [], True
    log.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Generator[None]:
    """No test leaves this process real-time, as SVT-AV1 does for root: two of them and the machine stands still."""
    yield
    if sys.platform == "linux":
        policy = os.sched_getscheduler(0)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        assert policy == os.SCHED_OTHER


@pytest.fixture(scope="session", autouse=True)
def _networks_are_compiled_once() -> None:
    """OpenVINO takes a quarter of a second to compile a network, and hundreds of tests load a detector."""
    if is_installed("openvino"):
        from blurscene_stream.detect.backends import openvino  # noqa: PLC0415

        openvino.compile_network = cache(openvino.compile_network)


@pytest.fixture
def no_thread_is_left() -> Generator[None]:
    """Fail a test that leaves a thread; those of tests before it do not count."""
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


@pytest.fixture
def walker(tmp_path: Path) -> Path:
    """One second of the walking square, H.264 and AAC, alone in its folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    return make_video(folder / "walker.mp4", VideoSpec())


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared with clips, pictures and the reference network; not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        if os.environ.get("FAIL_WITHOUT_SHARED"):
            pytest.fail("FAIL_WITHOUT_SHARED is set and ../shared is not there")
        pytest.skip("needs the clips and pictures of ../shared, which are not part of the project")
    return folder
