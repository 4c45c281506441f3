"""Several files of one run at the same time: what comes out is what one after the other gives."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

import cv2
import numpy as np
import pytest

from blurscene_stream import bulk
from blurscene_stream.audit.hash_chain import verify_log
from blurscene_stream.boxes import Detections
from blurscene_stream.bulk import files_at_once, plan
from blurscene_stream.cli import progress, run
from blurscene_stream.cli.files_progress import FilesProgress
from blurscene_stream.cli.video import video_command
from blurscene_stream.config import Settings
from blurscene_stream.errors import DetectionError, DeviceError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detector
from tests.conftest import ROOT
from tests.detect.needs import need
from tests.detectors import SquareDetector, take_detector
from tests.processes import PATIENCE_S, not_under_nohup, started, wait_until
from tests.videos import VideoSpec, make_video

FRAMES = 8
SIZES = {"a.mkv": (64, 48), "b.mkv": (64, 48), "c.mkv": (96, 64), "d.mkv": (64, 48)}

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture
def footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four videos of two sizes, in the current folder."""
    folder = tmp_path / "footage"
    folder.mkdir()
    for name, size in SIZES.items():
        make_video(folder / name, VideoSpec(FRAMES, *size))
    monkeypatch.chdir(tmp_path)
    return folder


def _run(*arguments: object) -> int:
    return run(video_command, [str(argument) for argument in arguments], "blurscene-stream")


def _files(folder: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def _take(monkeypatch: pytest.MonkeyPatch, detector: SquareDetector) -> None:
    take_detector(detector.load, monkeypatch)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
@pytest.mark.usefixtures("footage")
def test_what_comes_out_is_what_one_after_the_other_gives(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit, with a real network, views that share their input, and frames that come in batches of any size."""
    need(backend)
    monkeypatch.setattr(bulk, "core_count", lambda: 2)
    options = (
        "--backend",
        backend,
        "--size",
        64,
        "-c:v",
        "ffv1",
        "--set",
        "detect.variants={mirror_image: true, rotations: none}",
    )
    lossless = ("--thresh", 0.02, *options, "--set", "encode.threads=1")
    for count in (1, 3):
        assert _run("footage", "-o", f"out{count}", "--detections", f"found{count}", "--at-once", count, *lossless) == 0
    for name in SIZES:
        assert Path("out1", name).read_bytes() == Path("out3", name).read_bytes()
        lines = [Path(folder, f"{name}.jsonl").read_text() for folder in ("found1", "found3")]
        assert lines[0] == lines[1]
    assert any('"label"' in Path("found1", f"{name}.jsonl").read_text() for name in SIZES)


@pytest.mark.usefixtures("footage")
def test_files_run_at_the_same_time_and_the_table_is_in_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    most = 0

    def hook(_: Sequence[Frame]) -> None:
        nonlocal most
        most = max(most, sum(thread.name.startswith("file ") for thread in threading.enumerate()))

    _take(monkeypatch, SquareDetector(hook))
    assert _run("footage", "-o", "out", "--at-once", 2) == 0
    assert most == 2
    assert _files("out") == set(SIZES)
    *rows, last = capsys.readouterr().err.splitlines()[-5:]
    assert [row.split()[0] for row in rows] == [f"footage/{name}" for name in SIZES]
    assert last == "4 files: 4 done"


@pytest.mark.usefixtures("footage")
def test_the_model_is_loaded_once_and_only_where_something_is_left_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: list[Settings] = []

    def load(settings: Settings) -> Detector:
        loaded.append(settings)
        return SquareDetector()

    take_detector(load, monkeypatch)
    assert _run("footage", "-o", "out", "--at-once", 4) == 0
    assert _run("footage", "-o", "out", "--at-once", 4) == 0
    assert len(loaded) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "4 files: 4 there already"


def test_an_error_ends_its_file_and_not_the_others(
    footage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _take(monkeypatch, SquareDetector())
    whole = (footage / "a.mkv").read_bytes()
    (footage / "a2.mkv").write_bytes(whole[: len(whole) // 2])
    (footage / "none.mkv").write_text("not a video")
    assert _run("footage", "-o", "out", "--at-once", 6) == 3
    assert _files("out") == set(SIZES)
    lines = capsys.readouterr().err.splitlines()
    rows = {line.split()[0]: line for line in lines[-7:-1]}
    assert "FAILED (exit code 3): " in rows["footage/a2.mkv"]
    assert "FAILED (exit code 1): cannot be read as a video" in rows["footage/none.mkv"]
    assert lines[-1] == "6 files: 4 done, 2 FAILED"


@pytest.mark.usefixtures("footage")
def test_an_error_of_the_detector_ends_what_is_in_flight_and_not_what_comes_after(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = 0
    both = threading.Barrier(2, timeout=PATIENCE_S)

    class Failing(SquareDetector):
        def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
            nonlocal calls
            calls += 1
            if calls == 5:
                raise DetectionError("the network failed")
            return super().__call__(frames)

    start_video = FilesProgress.start_video

    def start_together(shown: FilesProgress, *arguments: object) -> None:
        if not both.broken and calls < 5:
            both.wait()
        start_video(shown, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FilesProgress, "start_video", start_together)
    _take(monkeypatch, Failing())
    assert _run("footage", "-o", "out", "--at-once", 2, "--batch-size", 1) == 6
    assert _files("out") == {"c.mkv", "d.mkv"}
    rows = capsys.readouterr().err.splitlines()[-5:-1]
    reasons = {row.partition("(exit code 6): ")[2] for row in rows[:2]}
    other = "the detector failed at another file, which was worked on at the same time"
    assert reasons == {"the network failed", other}


@pytest.mark.parametrize("error", [DeviceError("cuda:7: there is no such device"), RuntimeError("a bug")])
@pytest.mark.usefixtures("footage")
def test_what_would_end_every_file_ends_the_run(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """While files run: the device is gone, or something happened that nobody foresaw."""
    add_frame = FilesProgress.add_frame

    def fail(shown: FilesProgress, frame: object) -> None:
        add_frame(shown, frame)  # type: ignore[arg-type]
        raise error

    monkeypatch.setattr(FilesProgress, "add_frame", fail)
    _take(monkeypatch, SquareDetector())
    assert _run("footage", "-o", "out", "--at-once", 2) == (11 if isinstance(error, DeviceError) else 70)
    assert not _files("out")


@pytest.mark.usefixtures("footage")
def test_a_device_that_is_not_there_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Settings) -> Detector:
        raise DeviceError("cuda:7: there is no such device")

    take_detector(missing, monkeypatch)
    assert _run("footage", "-o", "out", "--at-once", 2) == 11
    assert not Path("out").exists()


@pytest.mark.usefixtures("footage")
def test_each_video_has_its_own_entry_in_one_audit_log(monkeypatch: pytest.MonkeyPatch) -> None:
    _take(monkeypatch, SquareDetector())
    assert _run("footage", "-o", "out", "--audit", "log.jsonl", "--at-once", 4) == 0
    entries, problems = verify_log(Path("log.jsonl"))
    assert not problems
    assert {Path(entry["input"]["name"]).name for entry in entries} == set(SIZES)
    assert len({entry["settings_sha256"] for entry in entries}) == 1


def test_pictures_and_videos_at_once(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(footage / "photo.png"), np.full((40, 60, 3), 90, np.uint8))
    _take(monkeypatch, SquareDetector())
    assert _run("footage", "-o", "out", "--at-once", 5) == 0
    assert _files("out") == {*SIZES, "photo.png"}


# The real command line with a detector that needs no weights, and that takes its time.
PROGRAM = textwrap.dedent("""
    import time
    from tests.detectors import SquareDetector
    from blurscene_stream import cli
    from blurscene_stream.pipeline import detection
    detection.load_configured_detector = SquareDetector(lambda frames: time.sleep(0.02 * len(frames))).load
    cli.main()
""")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("delay_s", [0.0, 0.4])
def test_a_signal_stops_all_files_and_leaves_nothing(number: signal.Signals, delay_s: float, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", VideoSpec(150, 64, 48))
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / "in" / name).write_bytes(film.read_bytes())
    out = tmp_path / "out"
    options = ["-o", out, "--at-once", 3, "--detections", tmp_path / "found"]
    command = [sys.executable, "-c", PROGRAM, tmp_path / "in", *options]
    with not_under_nohup(), started(command, cwd=ROOT, stderr=PIPE, text=True) as process:
        wait_until(lambda: out.is_dir() and len(list(out.iterdir())) >= 2, pause_s=0.005)
        time.sleep(delay_s)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number, errors
    last = f"stopped by {number.name}; files that were finished stay; the same command does the rest"
    assert errors.splitlines()[-1] == f"blurscene-stream: error: {last}"
    assert "Traceback" not in errors
    assert not list(out.iterdir()) and not list((tmp_path / "found").iterdir())


GB = 10**9


@pytest.mark.parametrize(
    ("cores", "memory", "asked", "usual"),
    [
        (2, 8 * GB, 0, 1),
        (7, 16 * GB, 0, 1),
        (8, 16 * GB, 0, 2),
        (64, 256 * GB, 0, 8),
        (64, 5 * GB, 0, 2),  # a small container on a large machine
        (64, GB, 0, 1),
        (2, 8 * GB, 3, 3),
        (64, 256 * GB, 1, 1),
        (64, 256 * GB, 64, 12),  # more than there are files
    ],
)
def test_how_many_at_once(
    cores: int, memory: int, asked: int, usual: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "core_count", lambda: cores)
    monkeypatch.setattr(bulk, "memory_bytes", lambda: memory)
    for number in range(12):
        (tmp_path / f"{number}.mp4").touch()
    planned = plan([str(tmp_path)], f"{tmp_path}_out")
    assert files_at_once(asked, planned.tasks, overwrite=False) == usual


@pytest.mark.usefixtures("footage")
def test_one_line_of_progress_for_all_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _take(monkeypatch, SquareDetector())
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    assert _run("footage", "-o", "out", "--at-once", 2) == 0
    shown = [line for line in capsys.readouterr().err.splitlines() if re.match(r"\d of 4 files: ", line)]
    assert len(shown) == 4 * FRAMES
    assert re.fullmatch(r"0 of 4 files: 1 of \d+ frames, \S+/s, \d+ s left", shown[0])
    assert re.match(rf"[23] of 4 files: {4 * FRAMES} of ", shown[-1])
