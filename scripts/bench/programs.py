"""Programs that anonymize a video, each run as a process of its own and measured from outside."""

from __future__ import annotations

import compileall
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import av

ROOT = Path(__file__).parent.parent.parent
LAUNCHER = Path(__file__).with_name("launch.py")
FLOOR = "codec alone"
PEERS = {"deface": "{program} {input} -o {output} --keep-audio"}
"""Peers that are known: how they are called, with the path that --peer gives."""


class BenchError(Exception):
    """A program or a clip cannot be measured; its text is one line."""


@dataclass(frozen=True)
class Program:
    """A command that reads {input} and writes {output}, words of `command`."""

    name: str
    command: tuple[str, ...]

    def words(self, source: Path, target: Path) -> list[str]:
        """Return the command for a file."""
        return [word.replace("{input}", str(source)).replace("{output}", str(target)) for word in self.command]


@dataclass(frozen=True)
class Cost:
    """One run of a program.

    wall_s:      from its start to its end
    cpu_s:       user and system time of it and its children
    peak_mib:    most memory that one of its processes held
    gpu_percent: mean share of the time in which the GPU was busy; None where nvidia-smi is not there
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    gpu_percent: float | None = None


def ours(overrides: Sequence[str]) -> Program:
    """Return this program with some settings."""
    options = [word for each in overrides for word in ("--set", each)]
    command = (sys.executable, "-m", "blurscene_stream", "-y", "--quiet", *options, "{input}", "{output}")
    return Program(" ".join(["blurscene-stream", *overrides]), command)


def first_frame(overrides: Sequence[str]) -> Program:
    """Return this program, ended when its first frame is written."""
    program = ours(overrides)
    command = ["scripts.bench.first_frame" if word == "blurscene_stream" else word for word in program.command]
    return Program(f"{program.name}, first frame", tuple(command))


def floor(overrides: Sequence[str], number: int = 0) -> Program:
    """Return the codec alone: the same decode and the same encode, with the same settings; `number`: of several."""
    command = (sys.executable, "-m", "scripts.bench.floor", "{input}", "{output}", *overrides)
    return Program(f"{FLOOR} {number + 1}" if number else FLOOR, command)


def peer(text: str) -> Program:
    """Return the program of a --peer option, NAME=PATH of a known one, or NAME=COMMAND with {input} and {output}.

    Raises BenchError.
    """
    name, _, command = text.partition("=")
    if "{input}" not in command and name in PEERS:
        command = PEERS[name].replace("{program}", shlex.quote(command))
    words = shlex.split(command)
    if not name or "{input}" not in words or "{output}" not in words:
        raise BenchError(
            f"--peer {text}: must be {' or '.join(PEERS)}=PATH, or NAME=COMMAND with {{input}}, {{output}}"
        )
    if (found := shutil.which(words[0])) is None:
        raise BenchError(f"--peer {text}: {words[0]} is no program")
    return Program(name, (str(Path(found).absolute()), *words[1:]))


def compile_package() -> None:
    """Write the byte code of this checkout: an installed program has it, else each start compiles its source anew."""
    compileall.compile_dir(ROOT / "blurscene_stream", quiet=2)


def run(program: Program, source: Path, target: Path) -> Cost:
    """Run a program on a file, and measure it.

    Raises BenchError when it fails.
    """
    command = [sys.executable, "-S", str(LAUNCHER), *program.words(source, target)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with _gpu_monitor() as busy:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    taken = json.loads(ended.stdout)
    if code := taken.pop("exit_code"):
        raise BenchError(f"{program.name}: exit code {code} on {source.name}: {last_line(ended.stderr)}")
    return Cost(**taken, gpu_percent=mean(busy) if busy else None)


def check_frames(program: Program, target: Path, frames: int) -> None:
    """Raise BenchError unless a program has written as many frames as it was given, or nearly so.

    Some repeat or leave out a frame where they count them by a rounded rate.
    """
    try:
        with av.open(str(target)) as container:
            written = sum(packet.size > 0 for packet in container.demux(video=0))
    except (OSError, ValueError, IndexError):
        written = 0
    if abs(written - frames) > 0.02 * frames:
        raise BenchError(f"{program.name}: wrote {written} of {frames} frames of {target.name}")


def last_line(text: str) -> str:
    """Return the last line of what a program has said."""
    return text.strip().rpartition("\n")[2].strip() or "it says nothing"


@contextmanager
def _gpu_monitor() -> Iterator[list[float]]:
    """Fill a list with the GPU's busy share in percent, ten times a second; leave it empty without nvidia-smi."""
    samples: list[float] = []
    if shutil.which("nvidia-smi") is None:
        yield samples
        return
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
    with tempfile.TemporaryFile() as output:
        monitor = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        try:
            yield samples
        finally:
            monitor.terminate()
            monitor.wait()
            output.seek(0)
            samples += [float(line) for line in output.read().split() if line.strip().isdigit()]
