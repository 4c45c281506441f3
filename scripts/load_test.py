"""Measure the HTTP service on this computer: pictures a second and waiting times, against those of the bare detector.

python -m scripts.load_test [--seconds 10] [--clients 1 8 64] [--size 1280x720] [--set KEY=VALUE ...] [--no-batches]

The service runs in a process of its own, with the real network, on a free port of the loopback, and is ended at the
end. Each client sends one picture after the other. With --no-batches a second service runs that detects in one picture
at a time, and both are measured in turn. Processor time is that of the service's worker, user and system. Exits with 1
when an answer is not 200, or the service's memory grows by more than 10 % from the middle of a measurement to its end.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
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
MAX_BARE_S = 20.0  # the detector alone does not change in a long run
NO_BATCHES = ("detect.batch_size=1", "server.batch_wait_ms=0")


@dataclass
class Measured:
    """Waiting times and failures of all clients; memory of the service's worker, its processor time, all the time."""

    times_s: list[float] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    memory_mb: list[int] = field(default_factory=list)
    cpu_s: float = 0.0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether an answer was none, or memory has grown."""
        return bool(self.failures) or self.memory_mb[-1] > MAX_GROWTH * self.memory_mb[len(self.memory_mb) // 2]

    def row(self) -> str:
        """The cells of a line of the table."""
        p50, p99 = np.percentile(1000 * np.array(self.times_s or [0]), [50, 99])
        count, (first, *_, last) = len(self.times_s), self.memory_mb
        middle = self.memory_mb[len(self.memory_mb) // 2]
        rates = f"{count / self.seconds:.2f} | {1000 * self.cpu_s / max(count, 1):.0f}"
        return f"{rates} | {p50:.0f} | {p99:.0f} | {len(self.failures)} | {first}, {middle}, {last}"


def main() -> int:
    """Measure the detector, then the service, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--no-batches", action="store_true", help="measure a service without batches beside it")
    arguments = parser.parse_args()
    picture = _picture(*map(int, arguments.size.split("x")))
    print("| Clients | Pictures/s | CPU ms each | p50 ms | p99 ms | Errors | Memory MB at start, middle, end |")
    print("|---|---|---|---|---|---|---|")
    rate, cpu_ms = _bare_rate(picture, arguments.overrides, min(arguments.seconds, MAX_BARE_S))
    print(f"| bare detector | {rate:.2f} | {cpu_ms:.0f} | | | | |", flush=True)
    failed = False
    with ExitStack() as stack:
        services = {"": stack.enter_context(_service(arguments.overrides))}
        if arguments.no_batches:
            services[", no batches"] = stack.enter_context(_service([*arguments.overrides, *NO_BATCHES]))
        for clients in arguments.clients:
            for name, (port, server) in services.items():
                measured = _measure(port, picture, clients, arguments.seconds, server)
                print(f"| {clients}{name} | {measured.row()} |", flush=True)
                failed |= measured.failed
    return int(failed)


@contextmanager
def _service(overrides: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Run the service; its port, and its process."""
    port = _free_port()
    command = [sys.executable, "-m", "blurscene_stream", "serve", "--port", str(port), "--log-level", "error"]
    command += [word for each in overrides for word in ("--set", each)]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            _wait_until_ready(port)
            yield port, server.pid
        finally:
            server.terminate()


def _picture(width: int, height: int) -> bytes:
    """A JPEG with something in it everywhere."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (height // 16, width // 16, 3)).astype(np.uint8)
    written = BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(written, "jpeg", quality=90)
    return written.getvalue()


def _bare_rate(picture: bytes, overrides: Sequence[str], seconds: float) -> tuple[float, float]:
    """Pictures a second, and milliseconds of the processor for each, of the detector alone."""
    settings = load_settings(overrides)
    anonymizer, image = ImageAnonymizer(settings, load_configured_detector(settings)), decode(picture)
    anonymizer.detect_decoded(image)
    start_s, start_cpu_s, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - start_s < seconds:
        anonymizer.detect_decoded(image)
        count += 1
    return count / (time.monotonic() - start_s), 1000 * (time.process_time() - start_cpu_s) / count


def _measure(port: int, picture: bytes, clients: int, seconds: float, server: int) -> Measured:
    measured, start_s, start_cpu_s = Measured(), time.monotonic(), _cpu_s(server)
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
    measured.cpu_s = _cpu_s(server) - start_cpu_s
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


def _worker(server: int) -> Path:
    """What the system tells of the process that the server has started."""
    (child,) = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return Path(f"/proc/{child}")


def _memory_mb(server: int) -> int:
    """Resident memory of the worker."""
    lines = (_worker(server) / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def _cpu_s(server: int) -> float:
    """Processor time of the worker, user and system (proc(5), stat: fields 14 and 15)."""
    fields = (_worker(server) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
