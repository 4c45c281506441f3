"""Kill runs at random moments: the final name is always absent or complete, and the next run works.

python -m scripts.kill_runs [--kills 500] [--seed 1] FOLDER

Each run is a process of its own, copied from one in which everything is loaded, and gets SIGKILL between its first
instruction and a while after its usual end. Then the target, if it is there, is decoded to its last picture. A run
over what was left must end well, and leave the target and nothing else.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from tests.detectors import SquareDetector
from tests.videos import VideoSpec, make_video, read_video

SPEC = VideoSpec(20, 64, 48)
TARGETS = ("out.mp4", "out.mkv", "out.ts")
LONGER = 1.3  # times the usual run, in which some runs end before they are killed


def run(source: Path, target: Path, kill_after_s: float | None) -> tuple[int, float]:
    """One run over what is there; its wait status and how long it took."""
    start_s = time.monotonic()
    if (child := os.fork()) == 0:
        code = 70
        try:
            beside = Address(str(target.with_suffix(".jsonl")))
            job = Job(Address(str(source)), Address(str(target)), overwrite=True, detections=beside)
            anonymize_video(job, Settings(), Callbacks(), StopToken(), SquareDetector().load)
            code = 0
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return status, time.monotonic() - start_s


def left(folder: Path) -> list[str]:
    """The names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def check(target: Path) -> str:
    """What is wrong with what a killed run has left; nothing if all is well."""
    lines = target.with_suffix(".jsonl")
    if target.exists() and (count := len(read_video(target).luma)) != SPEC.frames:
        return f"{target.name} has {count} pictures"
    if lines.exists() and not target.exists():
        return f"{lines.name} is there without its video"
    if lines.exists() and len(lines.read_text(encoding="utf-8").splitlines()) != SPEC.frames + 1:
        return f"{lines.name} is not complete"
    names = {target.name, lines.name}
    others = set(left(target.parent)) - names - {f"{name}.partial" for name in names}
    return f"{others} were left" if others else ""


def kill_runs(folder: Path, kills: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Kill so many runs; how they were found, and what was wrong."""
    rng, found, wrong = random.Random(seed), Counter[str](), []
    source, out = make_video(folder / "film.mp4", SPEC), folder / "out"
    out.mkdir()
    _, usual_s = run(source, out / TARGETS[0], None)
    for number in range(kills):
        for path in out.iterdir():
            path.unlink()
        target = out / rng.choice(TARGETS)
        status, _ = run(source, target, rng.uniform(0, usual_s * LONGER))
        how = "killed" if os.WIFSIGNALED(status) else "ended before"
        found[f"{how}, {'complete' if target.exists() else 'partial' if left(out) else 'nothing'} left"] += 1
        problem = check(target)
        status, took_s = run(source, target, None)
        usual_s = 0.9 * usual_s + 0.1 * took_s  # others use the machine too
        if status or left(out) != sorted([target.name, target.with_suffix(".jsonl").name]):
            problem = f"{problem}; the next run ended with {status} and left {left(out)}"
        problem = problem or check(target)
        wrong += [f"kill {number} ({target.name}): {problem}"] if problem else []
    return found, wrong


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found, wrong = kill_runs(given.folder, given.kills, given.seed)
    for how, count in sorted(found.items()):
        print(f"{how}: {count}")
    print("\n".join(wrong) or "nothing to report")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
