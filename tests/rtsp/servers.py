"""Servers on the loopback interface: the real ones of gst-rtsp-server, and ones that answer nothing."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

START_S = 30  # GStreamer scans its plugins when it starts for the first time
DEBIAN_PYTHON = "/usr/bin/python3"  # GStreamer's bindings are Debian packages, no virtual environment holds them
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-{x,libav} gstreamer1.0-plugins-{base,good,bad,ugly}"

# Cameras that the relay server does not have, and a recorder; all behind a password.
CAMERAS = """
import sys, gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer as R
Gst.init(None)
port, recording = sys.argv[1:]
video = ("videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1"
         " ! x264enc tune=zerolatency key-int-max=25 ! rtph264pay name=pay0 pt=96")
tone = "audiotestsrc is-live=true volume=0.2"
pcmu = f"{tone} ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1"
falls_silent = f"audiotestsrc is-live=true num-buffers=3 ! audio/x-raw,rate=8000 ! mulawenc ! rtppcmupay name=pay1"
record = ("rtph264depay name=depay0 ! h264parse ! h264timestamper ! m. rtppcmudepay name=depay1 ! m."
          f" matroskamux name=m streamable=true ! filesink async=false sync=false buffer-mode=unbuffered"
          f" location={recording}")
server = R.RTSPServer.new()
server.set_service(port)
server.set_address("127.0.0.1")
server.get_thread_pool().set_max_threads(16)
auth, token = R.RTSPAuth.new(), R.RTSPToken()
token.set_string("media.factory.role", "owner")
auth.add_basic(R.RTSPAuth.make_basic("user", "secret"), token)
server.set_auth(auth)
def add(path, launch, record=False):
    factory = R.RTSPMediaFactory.new()
    factory.set_launch(f"( {launch} )")
    factory.set_shared(not record)
    if record:
        factory.set_transport_mode(R.RTSPTransportMode.RECORD)
    permissions = R.RTSPPermissions.new()
    permissions.add_permission_for_role("owner", "media.factory.access", True)
    permissions.add_permission_for_role("owner", "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)
add("/g711", f"{video} {pcmu}")
add("/video", video)
add("/noise", video.replace("pattern=ball", "pattern=snow ! videobalance contrast=0.3"))
add("/silent", f"{video} {falls_silent}")
add("/record", record, record=True)
server.attach(None)
GLib.MainLoop().run()
"""

BLACK_HOLE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept = []
while True:
    kept.append(listener.accept())
"""


class Server:
    """A server in its own process.

    at: its address with a password in it, as a user gives it; PATH is appended
    """

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def at(self, path: str, user: str = "user:secret") -> str:
        return f"rtsp://{user}@127.0.0.1:{self.port}{path}"

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the test server ended at its start"
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return
            time.sleep(0.05)
        raise AssertionError(f"the test server does not listen after {START_S} s")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections and says nothing any more."""
        self._process.send_signal(signal.SIGSTOP)


@contextmanager
def running(command: Callable[[int], list[str]]) -> Generator[Server]:
    """A server on a free port; `command`: what to run for that port."""
    port = free_port()
    server = Server(command(port), port)
    try:
        server.wait_ready()
        yield server
    finally:
        server.kill()


@contextmanager
def relay_server(script: Path) -> Generator[Server]:
    """/cam: a camera; /pub_av -> /live_av: what is published to the first is played from the second."""
    with running(lambda port: [DEBIAN_PYTHON, str(script), str(port)]) as server:
        yield server


@contextmanager
def cameras(recording: Path) -> Generator[Server]:
    """/g711, /video, /silent, /noise: cameras; /record: writes to `recording`. All ask for the password."""
    with running(lambda port: [DEBIAN_PYTHON, "-c", CAMERAS, str(port), str(recording)]) as server:
        yield server


@contextmanager
def black_hole() -> Generator[Server]:
    """Takes connections and never says anything."""
    with running(lambda port: [sys.executable, "-c", BLACK_HOLE, str(port)]) as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gstreamer_works() -> bool:
    """Are the real servers installed?"""
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(DEBIAN_PYTHON).exists():
        return False
    ended = subprocess.run([DEBIAN_PYTHON, "-c", check], stderr=subprocess.DEVNULL, timeout=60, check=False)
    return ended.returncode == 0
