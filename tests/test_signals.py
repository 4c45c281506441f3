"""Signals to the real program: it ends at once, in good order, and leaves nothing that looks finished."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 120
PATIENCE_S = 30

# The real command line with a detector that needs no weights, and that takes its time.
PROGRAM = textwrap.dedent("""
    import signal, sys, time
    from tests.detectors import SquareDetector
    from blurscene_stream import cli
    from blurscene_stream.api import Anonymizer
    def look(frames):
        if {0} > 1:
            print("looking", flush=True)
        time.sleep({0} * len(frames))
    slow = SquareDetector(look)
    Anonymizer.__init__.__kwdefaults__["load_detector"] = slow.load
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    print("ready", flush=True)
    cli.main()
""")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", VideoSpec(FRAMES, 64, 48))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


Running = subprocess.Popen[str]


@pytest.fixture
def program(film: Path, target: Path, request: pytest.FixtureRequest) -> Generator[Running]:
    """Runs, and has not begun to write; its parameter is how many seconds it looks at a picture."""
    command = [sys.executable, "-c", PROGRAM.format(getattr(request, "param", "0.02")), str(film), str(target)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path} does not appear"
        time.sleep(0.005)


def test_the_program_of_these_tests_works(program: Running, target: Path) -> None:
    output, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, errors
    assert output == ""
    assert f"{target}: {FRAMES} frames in" in errors
    assert len(read_video(target).luma) == FRAMES


@pytest.mark.parametrize("delay_s", [0.0, 0.7])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_writes(number: signal.Signals, delay_s: float, program: Running, tmp_path: Path) -> None:
    wait_for(tmp_path / "out.mp4.partial")
    time.sleep(delay_s)
    program.send_signal(number)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 128 + number
    *opening, last = errors.splitlines()
    assert last == f"blurscene-stream: error: stopped by {number.name}; nothing was left"
    assert all("Traceback" not in line for line in opening)
    assert len(opening) <= 2  # it loads the model; what it does
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_before_it_has_begun(number: signal.Signals, program: Running, tmp_path: Path) -> None:
    """Wherever it is just then: an exit code that tells, no trace of the inside, nothing left."""
    time.sleep(random.Random(number).uniform(0, 0.05))
    program.send_signal(number)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode in (128 + number, -number), errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_a_signal_that_comes_twice_at_once_is_one_request(program: Running, tmp_path: Path) -> None:
    """As timeout(1) sends it: to the process, and to its group."""
    wait_for(tmp_path / "out.mp4.partial")
    program.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 143
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGTERM; nothing was left"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program", ["30"], indirect=True)
def test_a_later_second_signal_ends_it_on_the_spot(program: Running, tmp_path: Path) -> None:
    """The detector is stuck: nobody wants to wait for it."""
    assert program.stdout is not None
    assert program.stdout.readline() == "looking\n"
    program.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    assert program.poll() is None
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=3)
    assert program.returncode == -signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4.partial"]


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment(moment: int, program: Running, target: Path, tmp_path: Path) -> None:
    """Never a file under the final name, unless it is complete; the next run takes over what is left."""
    if moment:
        wait_for(tmp_path / "out.mp4.partial")
    time.sleep(random.Random(moment).uniform(0, 0.2) if moment < 6 else 0.15 * (moment - 5))
    program.kill()
    program.communicate(timeout=PATIENCE_S)
    if target.exists():
        assert len(read_video(target).luma) == FRAMES
    else:
        assert {path.name for path in tmp_path.iterdir()} <= {"out.mp4.partial"}


def test_the_installed_command_is_stopped(film: Path, target: Path, tmp_path: Path) -> None:
    """With its own network, which is loaded and looks at pictures while the signal comes."""
    command = [str(Path(sys.executable).with_name("blurscene-stream")), "--size", "64", str(film), str(target)]
    if not Path(command[0]).is_file():
        pytest.skip("blurscene-stream is not installed beside this Python")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "out.mp4.partial")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors
    assert output == ""
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGINT; nothing was left"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6])
def test_stopped_while_it_also_writes_what_was_covered(moment: float, film: Path, target: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM.format("0.02"), str(film), str(target), "--detections"]
    with subprocess.Popen(
        [*command, str(tmp_path / "out.jsonl")], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(tmp_path / "out.jsonl.partial")
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, errors
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGTERM; nothing was left"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 0.68, 0.76, 1.0])
def test_killed_while_it_also_writes_what_was_covered(moment: float, film: Path, target: Path, tmp_path: Path) -> None:
    """Whoever finds the file finds the video too, and both are complete."""
    file = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", PROGRAM.format("0.005"), str(film), str(target), "--detections", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "out.jsonl.partial")
        time.sleep(moment)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    if target.exists():
        assert len(read_video(target).luma) == FRAMES
    if file.exists():
        assert target.exists()
        assert len(file.read_text().splitlines()) == FRAMES + 1
