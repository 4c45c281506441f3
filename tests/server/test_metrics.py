"""/metrics of several workers: each tells of all, and nothing is left of one that has ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.pictures import file_of, samples_of
from tests.server.gunicorn_server import Server, until

PICTURE = file_of(samples_of(3), "png")
ANSWERED = 'blurscene_requests_total{method="POST",route="/detect",status="200"}'
TAKEN = "blurscene_places_taken"
LOOKS = 8  # of which each worker answers some


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Two workers; each picture takes 0.2 s."""
    started = Server(tmp_path, slow_s=0.2, variables={"TMPDIR": str(tmp_path)})
    yield started
    started.close()


def detect(server: Server) -> int:
    statuses = [503]  # of a worker that has just been started

    def answered() -> bool:
        statuses.append(server.ask("POST", "/detect", PICTURE, "image/png")[0])
        return statuses[-1] != 503

    until(answered)
    return statuses[-1]


def metric(server: Server, name: str) -> list[float]:
    """The values of a metric that the workers tell, each time over a connection of its own."""
    texts = [server.ask("GET", "/metrics")[1].decode() for _ in range(LOOKS)]
    lines = [dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#") for text in texts]
    return [float(each.get(name, 0)) for each in lines]


def busiest(server: Server) -> int:
    """The worker with the most connections."""
    sockets = dict.fromkeys(server.workers, 0)
    for pid in sockets:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets[pid] += descriptor.readlink().name.startswith("socket:")
    return max(sockets, key=lambda pid: sockets[pid])


def test_workers_tell_the_sum_and_nothing_is_left_of_a_killed_one(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(detect, server) for _ in range(8)]
        until(lambda: max(metric(server, TAKEN)) > 1)
        assert [answer.result() for answer in answers] == [200] * 8
    assert metric(server, ANSWERED) == [8] * LOOKS
    assert metric(server, TAKEN) == [0] * LOOKS
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(detect, server) for _ in range(8)]
        until(lambda: max(metric(server, TAKEN)) > 4)
        os.kill(busiest(server), signal.SIGKILL)
        lost = sum(answer.exception() is not None for answer in answers)
    assert lost
    until(lambda: metric(server, TAKEN) == [0] * LOOKS)
    assert metric(server, ANSWERED) == [16 - lost] * LOOKS, "what a killed worker has done is not forgotten"
    server.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["spool"]
    assert not list((tmp_path / "spool").iterdir())
