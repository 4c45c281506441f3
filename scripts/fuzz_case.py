"""Run cases of scripts/fuzz_inputs.py one after the other, and print what was wrong with each on a line.

python -m scripts.fuzz_case FOLDER SEED NUMBER...
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import av

from blurscene_stream import api
from blurscene_stream.cli import run
from blurscene_stream.cli.video import video_command
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video
from blurscene_stream.pipeline.detection import LoadDetector
from scripts.fuzz_inputs import DOCUMENTED, Case, make_case, make_films
from tests.detectors import BRIGHT, SquareDetector
from tests.videos import read_video

MEMORY_BYTES = 4 << 30
ERROR = "blurscene-stream: error: "
# One colour, and an encoder that loses nothing: what is bright in the output was not covered.
OPTIONS = ("--replacewith", "solid", "-crf", "0", "-preset", "ultrafast", "--device", "cpu")


class Probe:
    """Stands in for `anonymize_video`, with a detector that finds what is bright; notes what was judged and written."""

    def __init__(self) -> None:
        self.detector = SquareDetector()
        self.written: list[int] = []
        self.covered_whole = 0
        self.early: list[int] = []

    def __call__(self, job: Job, settings: Settings, _: Callbacks, stop_token: StopToken, __: LoadDetector) -> Summary:
        """Run with this detector."""
        return anonymize_video(job, settings, Callbacks(on_frame=self._note), stop_token, self.detector.load)

    def _note(self, frame: RedactedFrame) -> None:
        self.written.append(frame.number)
        self.covered_whole += frame.corrupt
        if frame.number not in self.detector.frame_numbers:
            self.early.append(frame.number)


@contextmanager
def _captured() -> Iterator[list[str]]:
    """What is written to stderr, by libraries in C too."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            kept.seek(0)
            lines += kept.read().decode("utf-8", "replace").splitlines()


def run_case(case: Case, folder: Path) -> dict[str, object]:
    """One run, and what was wrong with it: nothing, if all went well or ended with the right words."""
    source, target = folder / case.name, folder / "out" / case.target
    source.write_bytes(case.data)
    probe, start_s, threads = Probe(), time.monotonic(), set(threading.enumerate())
    places = _pipes(source, target) if case.piped else nullcontext((source, target))
    with patch.object(api, "anonymize_video", probe), places as (first, second), _captured() as lines:
        code = run(video_command, [*OPTIONS, str(first), str(second)], "blurscene-stream")
    seconds = time.monotonic() - start_s
    problems = list(_problems(code, lines))
    if code == 0:
        problems += _leaks(probe, target)
    elif not case.piped:  # what came through a pipe is there
        problems += _left(target.parent)
    if probe.early:
        problems.append(f"pictures {probe.early} were written before they were judged")
    problems += [f"a thread is left: {thread.name}" for thread in set(threading.enumerate()) - threads]
    for path in target.parent.iterdir():
        path.unlink()
    if not problems:
        source.unlink()
    frames, whole = (len(probe.written), probe.covered_whole) if code == 0 else (0, 0)
    return {"code": code, "frames": frames, "covered_whole": whole, "seconds": seconds, "problems": problems}


@contextmanager
def _pipes(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Two named pipes: what comes through the first is in `source`, what goes into the second ends in `target`."""
    first, second = (source.parent / f"pipe_{path.name}" for path in (source, target))
    for path in (first, second):
        os.mkfifo(path)
    kept, end = os.open(second, os.O_RDWR), os.open(second, os.O_RDONLY)  # so the taker has no end before the run has
    with (
        target.open("wb") as copy,
        subprocess.Popen(["sh", "-c", 'exec cat "$0" > "$1"', source, first]) as feeder,
        subprocess.Popen(["cat"], stdin=end, stdout=copy),
    ):
        os.close(end)
        try:
            yield first, second
        finally:
            os.close(kept)
            feeder.kill()
    for path in (first, second):
        path.unlink()


def _problems(code: int, lines: Sequence[str]) -> Iterator[str]:
    """With the exit code, and with what was printed."""
    if code not in DOCUMENTED:
        yield f"exit code {code}: {lines[-1:]}"
    errors = [line for line in lines if line.startswith(ERROR)]
    if len(errors) != (code != 0) or (errors and lines[-1] != errors[0]):
        yield f"{len(errors)} error lines with exit code {code}: {lines}"
    if any("Traceback" in line for line in lines):
        yield f"a traceback: {lines}"
    # opening and closing line, notes, warnings; nothing of a library in C
    own = ("blurscene-stream: ", "/")
    yield from (f"a line that is not ours: {line}" for line in lines if not line.startswith(own))


def _left(folder: Path) -> list[str]:
    return [f"{path.name} was left by a run that failed" for path in folder.iterdir()]


def _leaks(probe: Probe, target: Path) -> list[str]:
    """Pictures in the output that were not judged, or that hold what should be covered."""
    judged = probe.detector.frame_numbers
    if judged != probe.written or judged != list(range(len(judged))):
        return [f"judged are {judged}, written are {probe.written}"]
    try:
        luma = read_video(target).luma
    except av.error.FFmpegError as error:
        return [f"the output cannot be read: {error}"]
    if len(luma) != len(judged):
        return [f"{len(luma)} pictures in the output, {len(judged)} were judged"]
    deep = [int(each.max()) >> (2 if each.dtype.itemsize == 2 else 0) for each in luma]
    return [f"picture {number} has luma {top}: leaked" for number, top in enumerate(deep) if top > BRIGHT]


def main() -> None:
    """The command line."""
    folder, seed, numbers = Path(sys.argv[1]), int(sys.argv[2]), list(map(int, sys.argv[3:]))
    films = make_films(folder / "films")
    (folder / "out").mkdir(exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number in numbers:
        case = make_case(films, seed, number)
        result = run_case(case, folder)
        if result["problems"]:
            (folder / case.name).rename(folder / f"{number}_{case.name}")
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
