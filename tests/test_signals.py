"""Signals to the real program: it ends at once, in good order, and leaves nothing that looks finished."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import Generator
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.conftest import ROOT
from tests.detect.needs import need
from tests.evaluate.scripted_detector import make_picture
from tests.processes import PATIENCE_S, Process, lines_before, listens, not_under_nohup, started, wait_until
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 120

# The real command line with a detector that needs no weights, and that takes its time.
PROGRAM = textwrap.dedent("""
    import signal, sys, time
    from tests.detectors import SquareDetector
    from blurscene_stream import cli
    from blurscene_stream.pipeline import detection
    def look(frames):
        if {0} > 1:
            print("looking", flush=True)
        time.sleep({0} * len(frames))
    detection.load_configured_detector = SquareDetector(look).load
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    print("ready", flush=True)
    cli.main()
""")


# The real command line with a detector whose loading never ends, and rewords every error on its way as torch does.
LOADING = textwrap.dedent("""
    import signal, sys, time
    from blurscene_stream.pipeline import detection
    def load(settings):
        print("loading", file=sys.stderr, flush=True)
        try:
            time.sleep(60)
        except Exception as error:
            raise ValueError("not a file of tensors") from error
    detection.load_configured_detector = load
    from blurscene_stream import cli
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    cli.main()
""")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", VideoSpec(FRAMES, 64, 48))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


@pytest.fixture
def program(film: Path, target: Path, request: pytest.FixtureRequest) -> Generator[Process]:
    """Runs, and has not begun to write; its parameter is how many seconds it looks at a picture."""
    command = [sys.executable, "-c", PROGRAM.format(getattr(request, "param", "0.02")), str(film), str(target)]
    with (
        not_under_nohup(),
        started(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True) as process,
    ):
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def wait_for(path: Path) -> None:
    wait_until(path.exists, pause_s=0.005)


def test_the_program_of_these_tests_works(program: Process, target: Path) -> None:
    output, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0, errors
    assert output == ""
    assert f"{target}: {FRAMES} frames in" in errors
    assert len(read_video(target).luma) == FRAMES


@pytest.mark.parametrize("delay_s", [0.0, 0.7])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_writes(number: signal.Signals, delay_s: float, program: Process, tmp_path: Path) -> None:
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


def test_nohup_lets_it_run_on(film: Path, target: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM.format("0.02"), str(film), str(target)]
    with started(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command], cwd=ROOT, stderr=PIPE, text=True) as process:
        wait_for(tmp_path / "out.mp4.partial")
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert len(read_video(target).luma) == FRAMES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_s", [0, 0.4])
def test_stopped_before_it_has_begun(delay_s: float, number: signal.Signals, program: Process, tmp_path: Path) -> None:
    """While it imports what it needs: one line, an exit code that tells, nothing left."""
    wait_until(lambda: listens(program), pause_s=0.002)
    time.sleep(delay_s)
    program.send_signal(number)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 128 + number, errors
    *opening, last = errors.splitlines()
    assert last == f"blurscene-stream: error: stopped by {number.name}; nothing was left"
    assert len(opening) <= 2
    assert not list(tmp_path.iterdir())


LOADS = (  # arguments, signal, what becomes of the output
    ("film.mp4 out.mp4", signal.SIGINT, "nothing was left"),
    ("film.mp4 photo.png -o out", signal.SIGTERM, "files that were finished stay; the same command does the rest"),
    ("photo.png out.png", signal.SIGTERM, "nothing was left"),
    ("picture photo.png out.png", signal.SIGINT, "nothing was left"),
    ("detect photo.png", signal.SIGTERM, "nothing was detected in the pictures that are not printed"),
    ("evaluate set --output out", signal.SIGINT, "no report was written"),
    ("evaluate --video film.mp4 --output out", signal.SIGTERM, "no report was written"),
)


@pytest.mark.parametrize(("arguments", "number", "outcome"), LOADS, ids=[row[0] for row in LOADS])
def test_stopped_while_the_model_loads(arguments: str, number: signal.Signals, outcome: str, footage: Path) -> None:
    """Whatever the loader makes of the error; and the second of two files is not begun."""
    before = {path for path in footage.rglob("*") if path.is_file()}
    command = [sys.executable, "-c", LOADING, *arguments.split(), "--backend", "torch"]  # of all, it takes long
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with started(command, cwd=footage, env=environment, stderr=PIPE, text=True) as process:
        opening = lines_before("loading\n", process.stderr)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert errors == f"blurscene-stream: error: stopped by {number.name}; {outcome}\n"
    assert process.returncode == 128 + number
    assert all(line.endswith(": loading the model\n") for line in opening)
    assert {path for path in footage.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("delay_s", [0.0, 0.2, 0.5])
def test_stopped_while_the_network_is_compiled_beside(delay_s: float, footage: Path) -> None:
    """By the real detector, on a thread of its own."""
    need("openvino")
    before = set(footage.rglob("*"))
    command = [sys.executable, "-m", "blurscene_stream", "--fast", "--backend", "openvino", "film.mp4", "out.mp4"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with started(command, cwd=footage, env=environment, stderr=PIPE, text=True) as process:
        assert process.stderr.readline().endswith(": loading the model\n")
        time.sleep(delay_s)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGTERM; nothing was left"
    assert process.returncode == 128 + signal.SIGTERM
    assert set(footage.rglob("*")) == before


@pytest.fixture
def footage(film: Path, tmp_path: Path) -> Path:
    """A film with its truth, a picture, and a data set of one picture."""
    boxes = [{"label": "face", "xyxy": [10, 10, 30, 20]}]
    shutil.copy(film, tmp_path)
    objects = [{"track": 1, "visible": 1.0, **box} for box in boxes]
    rows = [json.dumps({"frame": number, "pts_s": number / 25, "objects": objects}) for number in range(FRAMES)]
    (tmp_path / "film.truth.jsonl").write_text("\n".join(rows))
    make_picture(tmp_path / "photo.png")
    make_picture(tmp_path / "set" / "a.png")
    (tmp_path / "set" / "labels.jsonl").write_text(json.dumps({"file": "a.png", "boxes": boxes}))
    return tmp_path


def test_a_signal_that_comes_twice_at_once_is_one_request(program: Process, tmp_path: Path) -> None:
    """As timeout(1) sends it: to the process, and to its group."""
    wait_for(tmp_path / "out.mp4.partial")
    program.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 143
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGTERM; nothing was left"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program", ["30"], indirect=True)
def test_a_later_second_signal_ends_it_on_the_spot(program: Process, tmp_path: Path) -> None:
    """The detector is stuck: nobody wants to wait for it."""
    assert program.stdout.readline() == "looking\n"
    program.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    assert program.poll() is None
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=3)
    assert program.returncode == -signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4.partial"]


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment(moment: int, program: Process, target: Path, tmp_path: Path) -> None:
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
    with started(command, stdout=PIPE, stderr=PIPE, text=True) as process:
        wait_for(tmp_path / "out.mp4.partial")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors
    assert output == ""
    assert errors.splitlines()[-1] == "blurscene-stream: error: stopped by SIGINT; nothing was left"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6])
def test_stopped_while_it_also_writes_what_was_covered(moment: float, film: Path, target: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", PROGRAM.format("0.02"), film, target, "--detections", file]
    with started(command, cwd=ROOT, stderr=PIPE, text=True) as process:
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
    command = [sys.executable, "-c", PROGRAM.format("0.005"), film, target, "--detections", file]
    with started(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as process:
        wait_for(tmp_path / "out.jsonl.partial")
        time.sleep(moment)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    if target.exists():
        assert len(read_video(target).luma) == FRAMES
    if file.exists():
        assert target.exists()
        assert len(file.read_text().splitlines()) == FRAMES + 1
