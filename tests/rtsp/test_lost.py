"""A source or a target that is not there, or goes: one line, its own exit code, in time, and no file cut short."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from blurscene_stream.audit import verify_log
from tests.rtsp.player import play
from tests.rtsp.runs import QUICK, START_S, started
from tests.rtsp.servers import Server, black_hole, free_port
from tests.videos import VideoSpec, make_video

SOURCE_LOST, TARGET_LOST = 8, 10
MARGIN_S = 8  # for a slow machine to start, open and end
PATIENCE_S = max(QUICK.values()) + MARGIN_S


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that plays for longer than a test takes."""
    return str(make_video(tmp_path_factory.mktemp("film") / "film.mp4", VideoSpec(frames=1500)))


def nothing_is_left(folder: Path) -> bool:
    return not list(folder.glob("out.*"))


def test_a_source_where_nobody_listens(tmp_path: Path) -> None:
    source = f"rtsp://user:secret@127.0.0.1:{free_port()}/cam"
    with started(tmp_path, source, tmp_path / "out.mp4") as run:
        run.end(PATIENCE_S).failed_with(SOURCE_LOST, "cannot connect", "refused", "is the camera up?")
    assert nothing_is_left(tmp_path)


def test_a_source_that_is_not_on_the_server(server: Server, tmp_path: Path) -> None:
    with started(tmp_path, server.at("/nosuch"), tmp_path / "out.mp4") as run:
        run.end(PATIENCE_S).failed_with(SOURCE_LOST, "cannot connect", "404", "is the path behind the host right?")
    assert nothing_is_left(tmp_path)


def test_a_source_that_does_not_know_us(others: Server, tmp_path: Path) -> None:
    with started(tmp_path, others.at("/video", "user:wrong-secret"), tmp_path / "out.mp4") as run:
        run.end(PATIENCE_S).failed_with(SOURCE_LOST, "cannot connect", "401", "are user and password right?")


def test_a_source_that_answers_nothing(tmp_path: Path) -> None:
    with black_hole() as source, started(tmp_path, source.at("/cam"), tmp_path / "out.mp4") as run:
        run.end(PATIENCE_S).failed_with(SOURCE_LOST, "cannot connect", "no answer")
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(("how", "ending"), [(Server.kill, "mp4"), (Server.kill, "mkv"), (Server.freeze, "mp4")])
def test_a_source_that_goes_while_it_is_recorded(
    mortal: Server, tmp_path: Path, how: Callable[[Server], None], ending: str
) -> None:
    """What it showed is complete under its name, and all that is written beside it says that it ended early."""
    beside = ("--detections", str(tmp_path / "out.jsonl"), "--audit", str(tmp_path / "log.jsonl"))
    with started(tmp_path, mortal.at("/cam"), tmp_path / f"out.{ending}", *beside) as run:
        run.wait_going()
        how(mortal)
        outcome = run.end(PATIENCE_S)
    target = tmp_path / f"out.{ending}"
    played = play(target)
    count = len(outcome.noted["written"])
    assert len(played.times) == count >= 10 and (played.brightest < 200, played.torn) == (True, 0)
    outcome.failed_with(SOURCE_LOST, "the source was lost", f"; {target} is complete up to there: {count:,} frames, ")
    *_, seconds = outcome.said[0].split(":")
    assert float(seconds) == pytest.approx(played.times[-1], abs=0.1)
    (entry,), problems = verify_log(tmp_path / "log.jsonl")
    assert problems == [] and entry["frames"] == count and "the source was lost" in entry["ended_early"]
    assert entry["output"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    _, *frames, end = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert len(frames) == count and end == {"ended_early": entry["ended_early"]}
    assert sorted(path.name for path in tmp_path.glob("out.*")) == sorted(["out.jsonl", target.name])


def test_a_source_that_goes_while_it_is_relayed(server: Server, mortal: Server, tmp_path: Path) -> None:
    with started(tmp_path, mortal.at("/cam"), server.at("/pub_av")) as run:
        run.wait_going()
        mortal.freeze()
        run.end(PATIENCE_S).failed_with(SOURCE_LOST, "the source was lost")


def test_a_target_where_nobody_listens(film: str, tmp_path: Path) -> None:
    with started(tmp_path, film, f"rtsp://user:secret@127.0.0.1:{free_port()}/pub") as run:
        run.end(PATIENCE_S).failed_with(TARGET_LOST, "cannot connect", "refused")


def test_a_target_that_is_not_on_the_server(server: Server, film: str, tmp_path: Path) -> None:
    with started(tmp_path, film, server.at("/nosuch")) as run:
        run.end(PATIENCE_S).failed_with(TARGET_LOST, "does not take the stream", "404")


def test_a_target_that_answers_nothing(film: str, tmp_path: Path) -> None:
    with black_hole() as target, started(tmp_path, film, target.at("/pub")) as run:
        run.end(PATIENCE_S).failed_with(TARGET_LOST, "no answer")


@pytest.mark.parametrize("how", [Server.kill, Server.freeze])
@pytest.mark.parametrize("live", [True, False])
def test_a_target_that_goes(
    others: Server, mortal: Server, film: str, tmp_path: Path, how: Callable[[Server], None], live: bool
) -> None:
    # noise: a server that is frozen is noticed when the system has filled its buffers
    source, target = (others.at("/noise"), mortal.at("/pub_v")) if live else (film, mortal.at("/pub_av"))
    with started(tmp_path, source, target, "-crf", "0") as run:
        run.wait_going()
        how(mortal)
        run.end(PATIENCE_S).failed_with(TARGET_LOST, "the target was lost")


def test_a_run_that_waits_for_its_source_is_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as source:
        source.settimeout(START_S)
        address = f"rtsp://user:secret@127.0.0.1:{source.getsockname()[1]}/cam"
        with started(tmp_path, address, tmp_path / "out.mp4") as run, source.accept()[0]:
            run.stop()
            run.end(PATIENCE_S).failed_with(130, "stopped by SIGINT")
    assert nothing_is_left(tmp_path)


def test_a_file_on_its_way_to_a_server_is_stopped(server: Server, film: str, tmp_path: Path) -> None:
    with started(tmp_path, film, server.at("/pub_av")) as run:
        run.wait_going()
        run.stop()
        run.end(PATIENCE_S).failed_with(130, "stopped by SIGINT")
