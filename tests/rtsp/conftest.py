"""Fixtures for the tests against real RTSP servers on the loopback interface."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.rtsp.servers import PACKAGES, Server, cameras, gstreamer_works, relay_server


@pytest.fixture(scope="session")
def relay_script() -> Path:
    """The relay server of ../shared, which runs on Debian's GStreamer; FAIL_WITHOUT_RTSP=1: a must."""
    script = ROOT.parent / "shared/video_io/rtsp/gst_relay_server.py"
    works = gstreamer_works()
    missing = "the relay server of ../shared" if works else f"a real RTSP server: apt-get install {PACKAGES}"
    if works and script.exists():
        return script
    if os.environ.get("FAIL_WITHOUT_RTSP"):
        pytest.fail(f"FAIL_WITHOUT_RTSP is set, and there is no {missing}")
    pytest.skip(f"needs {missing}")


@pytest.fixture(scope="session")
def server(relay_script: Path) -> Generator[Server]:
    """A camera and a server to publish to, for tests that leave it as it was."""
    with relay_server(relay_script) as made:
        yield made


@pytest.fixture
def mortal(relay_script: Path) -> Generator[Server]:
    """The same, for a test that kills or freezes it."""
    with relay_server(relay_script) as made:
        yield made


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `others` records what is published to it."""
    return tmp_path_factory.mktemp("recorder") / "recorded.mkv"


@pytest.fixture(scope="session")
def others(relay_script: Path, recording: Path) -> Generator[Server]:
    """Cameras of other kinds."""
    assert relay_script.exists()  # it stands for a GStreamer that works
    with cameras(recording) as made:
        yield made
