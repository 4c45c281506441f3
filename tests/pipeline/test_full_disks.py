"""Disks that are full, read-only or others than that of the input: real ones, made in a namespace of their own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.videos import VideoSpec, make_video, read_video

PATIENCE_S = 60
USER = 65534  # nobody


def disk(folder: Path, options: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program with a small disk of its own mounted at `folder`; what is on it is then copied beside it."""
    program = " ".join(f"'{each}'" for each in (sys.executable, "-m", "tests.rtsp.driver", *arguments))
    script = textwrap.dedent(f"""
        mount -t tmpfs -o size=1m tmpfs '{folder}' || exit 77
        mount -o remount,{options} '{folder}' || exit 77
        {program}
        code=$?
        ls -A '{folder}' >&2
        cp -a '{folder}/.' '{folder}_copy'
        exit $code
    """)
    return in_own_namespace("sh", "-c", script)


def in_own_namespace(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that mounts disks; it ends with 77 where it cannot."""
    ended = subprocess.run(
        ["unshare", "-rm", *command], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if ended.returncode == 77 or "unshare failed" in ended.stderr:
        pytest.skip("a disk cannot be mounted here")
    return ended


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk_copy").mkdir()
    return tmp_path / "disk"


# One process for all sizes and names: the disk is mounted anew before each run, as `disk` mounts it.
SIZES, NAMES = ("size=4k", "size=16k", "size=48k"), ("out.mp4", "out.mkv", "out.ts")
RUNS = textwrap.dedent("""
    import contextlib, io, itertools, json, os, subprocess, sys
    from blurscene_stream.cli import run
    from blurscene_stream.cli.video import video_command
    from tests.detectors import SquareDetector
    import blurscene_stream.pipeline as pipeline

    source, folder, sizes, names = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
    anonymize_video = pipeline.anonymize_video
    pipeline.anonymize_video = lambda *given: anonymize_video(*given[:4], SquareDetector().load)
    for size, name in itertools.product(sizes, names):
        for options in ("size=1m", f"remount,{size}"):
            if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]).returncode:
                sys.exit(77)
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            code = run(video_command, [source, os.path.join(folder, name)], "blurscene-stream")
        print(json.dumps([code, errors.getvalue().splitlines(), os.listdir(folder)]))
        subprocess.run(["umount", folder], check=True)
""")


@pytest.fixture(scope="module")
def full_disks(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, list[str], list[str]]]:
    """Exit code, lines on standard error and what is left on the disk, by its size and the name of the output."""
    folder = tmp_path_factory.mktemp("disks")
    (folder / "disk").mkdir()
    source = make_video(folder / "walker.mp4", VideoSpec())
    arguments = [str(source), str(folder / "disk"), json.dumps(SIZES), json.dumps(NAMES)]
    ended = in_own_namespace(sys.executable, "-c", RUNS, *arguments)
    runs = [json.loads(line) for line in ended.stdout.splitlines()]
    return dict(zip(itertools.product(SIZES, NAMES), runs, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_a_disk_that_is_full(
    size: str, name: str, full_disks: dict[tuple[str, str], tuple[int, list[str], list[str]]]
) -> None:
    code, lines, left = full_disks[size, name]
    assert code == 9, lines
    assert lines[-1].startswith("blurscene-stream: error: ")
    assert "no space left on device; nothing was left" in lines[-1]
    assert left == []


def test_a_disk_that_is_full_with_the_file_of_detections(walker: Path, mounted: Path, tmp_path: Path) -> None:
    arguments = (walker, tmp_path / "out.mp4", "--detections", mounted / "out.jsonl")
    ended = disk(mounted, "size=4k", tmp_path / "report.json", 0, *arguments)
    assert ended.returncode == 9, ended.stderr
    assert "no space left on device" in ended.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("out*"))


# A film that comes as a camera's stream would: real servers are in tests/rtsp, where GStreamer is.
RECORDING = textwrap.dedent("""
    import subprocess, sys, time
    import av
    import blurscene_stream.pipeline as pipeline
    import blurscene_stream.source.source as source
    from blurscene_stream.cli import run
    from blurscene_stream.cli.video import video_command
    from blurscene_stream.source.live import LiveReader
    from tests.detectors import SquareDetector

    film, folder, name = sys.argv[1:]
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", folder]).returncode:
        sys.exit(77)
    packets, anonymize_video = LiveReader._packets, pipeline.anonymize_video

    def at_its_pace(reader):
        for packet in packets(reader):
            time.sleep(0.005)
            yield packet

    LiveReader._packets = at_its_pace
    source.open_live = lambda *_: av.open(film)
    pipeline.anonymize_video = lambda *given: anonymize_video(*given[:4], SquareDetector().load)
    outputs = [f"{folder}/{name}", "--detections", f"{folder}/out.jsonl", "--audit", f"{folder}/log.jsonl"]
    command = ["rtsp://user:secret@camera/live", *outputs, "-crf", "0", "-preset", "ultrafast", "--quiet"]
    code = run(video_command, command, "blurscene-stream")
    subprocess.run(["cp", "-a", f"{folder}/.", f"{folder}_copy"], check=True)
    sys.exit(code)
""")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_ends_well_before_the_disk_is_full(name: str, mounted: Path, tmp_path: Path) -> None:
    """Hours of it would be lost; that it ended early is said everywhere."""
    film = make_video(tmp_path / "film.ts", VideoSpec(frames=400))
    ended = in_own_namespace(sys.executable, "-c", RECORDING, str(film), str(mounted), name)
    assert ended.returncode == 9, ended.stderr
    (line,) = ended.stderr.splitlines()
    copy = mounted.with_name("disk_copy")
    assert sorted(path.name for path in copy.iterdir()) == sorted(["log.jsonl", "out.jsonl", name])
    kept = read_video(copy / name)
    count = len(kept.luma)
    assert 20 < count < 350
    assert "rtsp://camera/live: the disk is full" in line and "secret" not in line
    time = f"00:00:{float(kept.times[-1] - kept.times[0]):04.1f}"
    assert f"{name} is complete up to there: {count} frames, {time}; make room" in line
    _, *frames, end = map(json.loads, (copy / "out.jsonl").read_text().splitlines())
    assert len(frames) == count and "the disk is full" in end["ended_early"]
    assert json.loads((copy / "log.jsonl").read_text())["ended_early"] == end["ended_early"]


def test_a_disk_that_may_not_be_written_to(walker: Path, mounted: Path, tmp_path: Path) -> None:
    ended = disk(mounted, "ro", tmp_path / "report.json", 0, walker, mounted / "out.mp4")
    lines = ended.stderr.splitlines()
    assert ended.returncode == 9, lines
    assert "cannot be written: read-only file system" in lines[-1]


def test_another_disk_than_that_of_the_input(walker: Path, mounted: Path, tmp_path: Path) -> None:
    ended = disk(mounted, "size=1m", tmp_path / "report.json", 0, walker, mounted / "out.mp4")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1] == "out.mp4"
    assert len(read_video(tmp_path / "disk_copy" / "out.mp4").luma) == 25


def test_a_link_to_another_disk(walker: Path, mounted: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(mounted / "real.mp4")
    ended = disk(mounted, "size=1m", tmp_path / "report.json", 0, walker, link)
    assert ended.returncode == 0, ended.stderr
    assert link.is_symlink()
    assert len(read_video(tmp_path / "disk_copy" / "real.mp4").luma) == 25


# A user who is not root, in a child that has been root: what may not be written may not be written.
CHILD = textwrap.dedent("""
    import os, sys
    from tests.detectors import SquareDetector
    from tests.pipeline.runs import anonymize
    from blurscene_stream.errors import BlurSceneError
    import blurscene_stream.source, blurscene_stream.sink, blurscene_stream.redact
    from blurscene_stream.track.association import assign
    import numpy
    assign(numpy.zeros((1, 1)))  # a run loads SciPy's solver late; the other user may not read where this Python lies
    os.setgroups([]); os.setgid({user}); os.setuid({user})
    try:
        anonymize(sys.argv[1], sys.argv[2])
    except BlurSceneError as error:
        print(error)
        sys.exit(error.exit_code)
""").format(user=USER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o555, 0o000, 0o333])
def test_a_folder_that_another_user_may_not_write_to(mode: int, walker: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
        if folder.name.startswith("pytest-of"):
            break
    target = tmp_path / "closed" / "out.mp4"
    target.parent.mkdir()
    os.chown(target.parent, USER, USER)
    target.parent.chmod(mode)
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(walker), str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert str(target) in ended.stdout or (mode == 0o333 and not ended.stdout)
    assert ended.returncode in ((0, 9) if mode == 0o333 else (2, 9)), ended.stdout
    assert ended.returncode == 0 or not list(target.parent.iterdir())


STORM = textwrap.dedent("""
    import signal, sys
    from tests.detectors import SquareDetector
    from tests.pipeline.runs import anonymize
    hits = []
    signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for target in sys.argv[2:]:
        assert anonymize(sys.argv[1], target).frames == 25
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(len(hits))
""")


def test_system_calls_that_are_interrupted_all_the_time(walker: Path, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("out.mp4", "out.mkv", "out.ts")]
    ended = subprocess.run(
        [sys.executable, "-c", STORM, str(walker), *map(str, targets)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout) > 20
    assert [len(read_video(target).luma) for target in targets] == [25, 25, 25]
