"""Standard input and output as `-`, and named pipes: the real command line in a process of its own."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

import av
import pytest

from blurscene_stream.source.pipe import PipeReader
from tests.conftest import ROOT
from tests.processes import PATIENCE_S, listens, started, wait_until, wait_until_idle
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 25
READABLE = {  # what can be read without going back -> what is in it
    "film.mkv": (VideoSpec(audio=("aac",)), {}),
    "film.ts": (VideoSpec(), {}),
    "parts.mp4": (VideoSpec(), {"movflags": "+frag_keyframe+empty_moov"}),
    "fast.mp4": (VideoSpec(), {"movflags": "+faststart"}),
    "film.webm": (VideoSpec(codec="libvpx-vp9", audio=(), options={"deadline": "realtime"}), {}),
    "film.mjpeg": (VideoSpec(codec="mjpeg", pixel_format="yuvj420p", audio=()), {}),
    "film.h264": (VideoSpec(audio=()), {}),
}


def command(report: Path, *arguments: object, delay_s: float = 0) -> list[str]:
    """The program, with a detector that finds what is bright."""
    return [sys.executable, "-m", "tests.rtsp.driver", str(report), str(delay_s), *map(str, arguments)]


def run(report: Path, *arguments: object, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(report, *arguments), cwd=ROOT, input=data, capture_output=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "report").mkdir()
    return tmp_path / "report" / "report.json"


def frames_of(data: bytes) -> tuple[str, int]:
    with av.open(io.BytesIO(data), "r") as container:
        return container.format.name, len(list(container.decode(video=0)))


@pytest.mark.parametrize("name", READABLE)
def test_what_comes_in_goes_out(name: str, tmp_path: Path, report: Path) -> None:
    spec, options = READABLE[name]
    data = make_video(tmp_path / name, spec, options).read_bytes()
    ended = run(report, "-", "-", data=data)
    said = ended.stderr.decode().splitlines()
    assert ended.returncode == 0, said
    assert frames_of(ended.stdout) == ("matroska,webm", FRAMES)
    assert [number for number, *_ in json.loads(report.read_text())["judged"]] == list(range(FRAMES))
    assert said[0] == "- -> -: loading the model"
    assert said[1].startswith("/dev/stdin (160x120) -> - on test: anonymizing")
    assert said[-1].startswith(f"-: {FRAMES} frames in ")


def test_a_transport_stream_is_asked_for(walker: Path, report: Path) -> None:
    ended = run(report, "--format", "mpegts", walker, "-")
    assert frames_of(ended.stdout) == ("mpegts", FRAMES)


@pytest.mark.parametrize(("name", "part"), [("film.mkv", "are missing"), ("film.ts", "are missing")])
def test_what_was_cut_off_on_the_way_is_no_success(name: str, part: str, tmp_path: Path, report: Path) -> None:
    """The beginning says how much there should be."""
    data = make_video(tmp_path / name, VideoSpec()).read_bytes()
    ended = run(report, "-", tmp_path / "out.mp4", data=data[: len(data) * 2 // 3 | 1])
    (*_, last) = ended.stderr.decode().splitlines()
    assert (ended.returncode, part in last) == (3, True), last
    assert not (tmp_path / "out.mp4").exists()


def test_an_mp4_whose_index_comes_last_cannot_come_through_a_pipe(tmp_path: Path, report: Path) -> None:
    film = make_video(tmp_path / "film.mp4", VideoSpec(audio=()))
    ended = run(report, "-", "-", data=film.read_bytes())
    *opening, line = ended.stderr.decode().splitlines()
    assert all(each.endswith(": loading the model") for each in opening) and len(opening) <= 1
    assert ended.returncode in (1, 3)
    assert "a pipe cannot seek: send mkv, ts or fragmented mp4" in line
    assert ended.stdout == b""
    with film.open("rb") as file:  # a file by another name is a file
        again = subprocess.run(
            command(report, "-", tmp_path / "out.mp4"), cwd=ROOT, stdin=file, timeout=PATIENCE_S, check=False
        )
    assert again.returncode == 0


def test_a_reader_that_has_enough(walker: Path, report: Path) -> None:
    with started(command(report, walker, "-"), cwd=ROOT, stdout=PIPE, stderr=PIPE) as process:
        assert len(process.stdout.read(1000)) == 1000
        process.stdout.close()
        said = process.stderr.read().decode().splitlines()
    assert process.returncode == 9
    assert said[2:] == [
        "blurscene-stream: error: -: cannot be written: broken pipe; what was read from it is not complete"
    ]


def test_a_run_that_fails_does_not_look_finished(tmp_path: Path, report: Path) -> None:
    """What a transport stream has lost at its end is noticed last of all: the output then lacks its own end."""
    data = make_video(tmp_path / "film.mkv", VideoSpec(60)).read_bytes()
    whole, cut = run(report, "-", "-", data=data), run(report, "-", "-", data=data[: len(data) - 50])
    assert (whole.returncode, cut.returncode) == (0, 3)
    assert len(cut.stdout) < len(whole.stdout)


def _named(folder: Path, name: str) -> Path:
    os.mkfifo(folder / name)
    return folder / name


NAMED = {"out.ts": "mpegts", "out.mkv": "matroska,webm", "out": "matroska,webm"}


@pytest.mark.parametrize("name", NAMED)
def test_named_pipes_both_ways(name: str, tmp_path: Path, report: Path) -> None:
    film = make_video(tmp_path / "film.mkv", VideoSpec())
    source, target, copy = _named(tmp_path, "in.mkv"), _named(tmp_path, name), tmp_path / "copy"
    with (
        started(["sh", "-c", f"exec cat {film} > {source}"]) as writer,
        started(["sh", "-c", f"exec cat {target} > {copy}"]) as reader,
    ):
        ended = run(report, source, target)
        if ended.returncode:
            writer.kill()
            reader.kill()
    assert ended.returncode == 0, ended.stderr
    assert frames_of(copy.read_bytes()) == (NAMED[name], FRAMES)
    assert target.is_fifo()
    assert not list(tmp_path.glob("*.partial"))


REFUSED: Sequence[tuple[str, tuple[str, ...], str]] = (
    # what it is, arguments, a part of what is said
    ("an mp4", ("IN", "PIPE.mp4"), "cannot be written to a pipe"),
    ("two formats", ("IN", "PIPE.ts", "--format", "matroska"), "encode.format is matroska, and the ending says mpegts"),
    ("a file's format", ("IN", "out.mp4", "--format", "matroska"), "and the ending says mp4"),
    ("an unknown format", ("IN", "-", "--format", "gif"), "must be matroska or mpegts"),
    ("a preview", ("IN", "-", "--preview"), "a preview is not anonymized"),
    ("detections", ("IN", "out.mp4", "--detections", "-"), "detections are only written to a file"),
    ("nothing to look at", ("IN", "-", "-c:v", "vp9", "--format", "mpegts"), "takes no vp9"),
)


@pytest.mark.parametrize(("what", "arguments", "part"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_a_pipe_cannot_be(
    what: str, arguments: tuple[str, ...], part: str, walker: Path, tmp_path: Path, report: Path
) -> None:
    given = [str(walker) if each == "IN" else each.replace("out", str(tmp_path / "out")) for each in arguments]
    given = [str(_named(tmp_path, each)) if each.startswith("PIPE") else each for each in given]
    ended = run(report, *given)
    assert (ended.returncode, ended.stdout) == (2, b""), what
    *opening, line = ended.stderr.decode().splitlines()
    assert all(each.endswith(": loading the model") for each in opening) and len(opening) <= 1
    assert part in line


def test_a_terminal_shows_no_video(walker: Path, report: Path) -> None:
    ours, theirs = pty.openpty()
    ended = subprocess.run(
        command(report, walker, "-"), cwd=ROOT, stdout=theirs, stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False
    )
    back = subprocess.run(
        command(report, "-", "out.mp4"), cwd=ROOT, stdin=theirs, stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert (ended.returncode, b"a terminal shows no video" in ended.stderr) == (2, True)
    assert (back.returncode, b"is a terminal" in back.stderr) == (1, True)


def test_the_input_by_way_of_the_shell(walker: Path, report: Path) -> None:
    before = walker.read_bytes()
    with walker.open("rb") as file, walker.open("ab") as same:
        ended = [
            subprocess.run(
                command(report, *arguments), cwd=ROOT, stdin=file, stdout=same, stderr=subprocess.PIPE, check=False
            )
            for arguments in (("-", walker, "-y"), (walker, "-"), ("-", "-"))
        ]
    assert [each.returncode for each in ended] == [2, 2, 2]
    assert all(b"are the same" in each.stderr for each in ended)
    assert walker.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("share", [0, 0.5])
def test_stopped_while_nothing_comes(share: float, number: signal.Signals, tmp_path: Path, report: Path) -> None:
    """Whoever writes to the pipe does not go on: nobody must wait for that."""
    data = make_video(tmp_path / "film.ts", VideoSpec(200)).read_bytes()
    with started(command(report, "-", tmp_path / "out.mp4"), cwd=ROOT, stdin=PIPE, stderr=PIPE) as process:
        process.stdin.write(data[: int(len(data) * share)])
        process.stdin.flush()
        wait_until(lambda: report.with_suffix(".going").exists() if share else listens(process))
        wait_until_idle(process)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 128 + number
        last = process.stderr.read().decode().splitlines()[-1]
    assert last == f"blurscene-stream: error: stopped by {number.name}; nothing was left"
    assert not list(tmp_path.glob("out*"))


def test_a_file_called_dash(walker: Path, report: Path, tmp_path: Path) -> None:
    walker.rename(tmp_path / "-")
    ended = subprocess.run(
        command(report, "./-", "--", "-x.mp4"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(read_video(tmp_path / "-x.mp4").luma) == FRAMES


def test_a_pipe_with_a_high_number(tmp_path: Path) -> None:
    """A program with many open files: select() would know descriptors up to 1023 only."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] != resource.RLIM_INFINITY and limit[1] < 2048:
        pytest.skip("this machine allows no more than a thousand open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], 2048), limit[1]))
    os.mkfifo(tmp_path / "in.ts")
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    writer = os.open(tmp_path / "in.ts", os.O_RDWR)
    try:
        os.write(writer, b"first")
        reader = PipeReader(tmp_path / "in.ts")
        assert reader.read(100) == b"first"
        reader.close()
    finally:
        for descriptor in (*opened, writer):
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def _waiting_bytes(pipe: IO[bytes]) -> int:
    """Bytes in a pipe that nobody has read yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_the_beginning_stalls(number: signal.Signals, tmp_path: Path, report: Path) -> None:
    """libav swallows the error of the signal while it probes, and reads on: for ever, if nobody writes."""
    source = _named(tmp_path, "in.mkv")
    data = make_video(tmp_path / "film.mkv", VideoSpec(60)).read_bytes()
    with started(command(report, source, tmp_path / "out.mp4"), cwd=ROOT, stdout=DEVNULL, stderr=PIPE) as process:
        with source.open("wb", buffering=0) as writer:
            writer.write(data[:3000])
            wait_until(lambda: _waiting_bytes(writer) == 0)
            wait_until_idle(process)
            process.send_signal(number)
            assert process.wait(5) == 128 + number
        last = process.stderr.read().decode().splitlines()[-1]
    assert last == f"blurscene-stream: error: stopped by {number.name}; nothing was left"
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("frames", [200, 2])
@pytest.mark.parametrize("named", [False, True])
def test_stopped_while_the_reader_stalls(named: bool, frames: int, tmp_path: Path, report: Path) -> None:
    """The pipe is full, in the middle of the video or at its end, and nobody takes any."""
    film = make_video(tmp_path / "film.mkv", VideoSpec(frames, 320, 240, options={"qp": "0"}))
    reader, writer = os.pipe()
    target: object = "-"
    if named:
        target = _named(tmp_path, "out.mkv")
        reader, writer = os.open(target, os.O_RDONLY | os.O_NONBLOCK), os.open(target, os.O_WRONLY)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    ready = select.poll()
    ready.register(writer, select.POLLOUT)
    words = command(report, film, target, "-crf", 0)
    with started(words, cwd=ROOT, stdout=None if named else writer, stderr=PIPE) as process:
        wait_until(lambda: not ready.poll(0))
        wait_until_idle(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(4) == 143
        last = process.stderr.read().decode().splitlines()[-1]
    assert last == "blurscene-stream: error: stopped by SIGTERM; what was read from the pipe is not complete"
    os.close(reader)
    os.close(writer)
