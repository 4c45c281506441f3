"""Time this program and another one on the same clips, by turns in one run: frames/s and CPU seconds a frame.

python -m scripts.compare_speed --other "deface {input} -o {output}" CLIP...
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av

OURS = "blurscene-stream -y --quiet {input} {output}"


@dataclass(frozen=True)
class Cost:
    """One run: wall-clock and CPU seconds, and the most memory that the process held."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: str, clip: Path, output: Path) -> Cost:
    """Run a command with its {input} and {output} filled in.

    Raises CalledProcessError when it fails.
    """
    words = [word.format(input=clip, output=output) for word in shlex.split(command)]
    start_s = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - start_s
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def frames_in(clip: Path) -> int:
    """How many pictures a clip has."""
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))


def main() -> int:
    """Print a Markdown table: a row for each clip and program, medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--ours", default=OURS)
    parser.add_argument("--other", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print("| clip | frames | program | frames/s | CPU s a frame | peak MiB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for clip in chosen.clips:
            frames, costs = frames_in(clip), {chosen.ours: list[Cost](), chosen.other: list[Cost]()}
            for _ in range(chosen.rounds):
                for command, taken in costs.items():
                    taken.append(run(command, clip, Path(folder) / "out.mp4"))
            for command, taken in costs.items():
                wall_s, cpu_s = median(cost.wall_s for cost in taken), median(cost.cpu_s for cost in taken)
                peak = max(cost.peak_mib for cost in taken)
                program = Path(shlex.split(command)[0]).name
                figures = f"{frames / wall_s:.2f} | {cpu_s / frames:.3f} | {peak:.0f}"
                print(f"| {clip.stem} | {frames} | {program} | {figures} |")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
