"""Measures the HTTP service on this computer: pictures a second and waiting times, against those of the bare detector.

python -m scripts.load [--seconds 10] [--clients 1 8 64] [--size 1280x720] [--set KEY=VALUE ...]

The service runs in a process of its own, with the real network, on a free port of the loopback, and is ended at the
end. Each client sends one picture after the other. Exits with 1 when an answer is not 200, or the service's memory
grows by more than 10 % from the first half of the longest measurement to its end.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from blurscene_stream.config import load_settings
from blurscene_stream.image import decode
from blurscene_stream.pipeline.detection import load_configured_detector
from blurscene_stream.pipeline.image import ImageAnonymizer

ROOT = Path(__file__).parent.parent
PATIENCE_S = 120
MAX_GROWTH = 1.1


@dataclass
class Measured:
    """Waiting times and failures of all clients; memory of the service's worker; time until the last answer."""

    times_s: list[float] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    memory_mb: list[int] = field(default_factory=list)
    seconds: float = 0.0


def main() -> int:
    """Measure the detector, then the service, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    picture = _picture(*map(int, arguments.size.split("x")))
    print("| Clients | Pictures/s | p50 ms | p99 ms | Errors | Memory MB |\n|---|---|---|---|---|---|")
    print(f"| bare detector | {_bare_rate(picture, arguments.overrides, arguments.seconds):.2f} | | | | |", flush=True)
    port = _free_port()
    command = [sys.executable, "-m", "blurscene_stream", "serve", "--port", str(port), "--log-level", "error"]
    command += [word for each in arguments.overrides for word in ("--set", each)]
    failed = False
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            _wait_until_ready(port)
            for clients in arguments.clients:
                measured = _measure(port, picture, clients, arguments.seconds, server.pid)
                failed |= _print(clients, measured)
        finally:
            server.terminate()
    return int(failed)


def _print(clients: int, measured: Measured) -> bool:
    """Print a line of the table; return whether something is wrong."""
    times_ms = 1000 * np.array(measured.times_s or [0])
    p50, p99 = np.percentile(times_ms, [50, 99])
    memory = f"{measured.memory_mb[0]} to {measured.memory_mb[-1]}"
    rate = len(measured.times_s) / measured.seconds
    print(f"| {clients} | {rate:.2f} | {p50:.0f} | {p99:.0f} | {len(measured.failures)} | {memory} |", flush=True)
    middle = measured.memory_mb[len(measured.memory_mb) // 2]
    return bool(measured.failures) or measured.memory_mb[-1] > MAX_GROWTH * middle


def _picture(width: int, height: int) -> bytes:
    """A JPEG with something in it everywhere."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (height // 16, width // 16, 3)).astype(np.uint8)
    written = BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(written, "jpeg", quality=90)
    return written.getvalue()


def _bare_rate(picture: bytes, overrides: Sequence[str], seconds: float) -> float:
    settings = load_settings(overrides)
    anonymizer, image = ImageAnonymizer(settings, load_configured_detector(settings)), decode(picture)
    anonymizer.detect_decoded(image)
    start_s, count = time.monotonic(), 0
    while time.monotonic() - start_s < seconds:
        anonymizer.detect_decoded(image)
        count += 1
    return count / (time.monotonic() - start_s)


def _measure(port: int, picture: bytes, clients: int, seconds: float, server: int) -> Measured:
    measured, start_s = Measured(), time.monotonic()
    end_s = start_s + seconds
    threads = [threading.Thread(target=_ask, args=(port, picture, end_s, measured)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end_s:
        measured.memory_mb.append(_memory_mb(server))
        time.sleep(min(0.5, seconds / 8))
    for thread in threads:
        thread.join()
    measured.seconds = time.monotonic() - start_s
    measured.memory_mb.append(_memory_mb(server))
    return measured


def _ask(port: int, picture: bytes, end_s: float, measured: Measured) -> None:
    headers = {"Content-Type": "image/jpeg"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        while (start_s := time.monotonic()) < end_s:
            connection.request("POST", "/anonymize", picture, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                measured.times_s.append(time.monotonic() - start_s)
            else:
                measured.failures.append(answer.status)


def _memory_mb(server: int) -> int:
    """Resident memory of the processes that the server has started."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    lines = [line for child in children for line in Path(f"/proc/{child}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(port: int) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the service was not ready after {PATIENCE_S} s")


if __name__ == "__main__":
    sys.exit(main())
