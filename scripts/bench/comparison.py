"""The comparison: all programs over one clip, by turns, round by round."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blurscene_stream.config import load_settings
from scripts.bench.clips import Clip
from scripts.bench.programs import (
    ROOT,
    BenchError,
    Cost,
    Program,
    check_frames,
    first_frame,
    floor,
    last_line,
    ours,
    peer,
    run,
)
from scripts.bench.report import Runs

Stages = dict[str, list[dict[str, Any]]]  # by name of program: the report of each round
Measured = tuple[dict[str, Runs], Stages]


@dataclass(frozen=True)
class Comparison:
    """Programs that are measured.

    variants: this program by the settings that it is given; floors: the codec alone, by program
    peers:    other programs
    """

    variants: Mapping[str, Sequence[str]]
    floors: Mapping[str, Program]
    peers: Sequence[Program]

    def programs(self) -> list[Program]:
        """Return all of them, in the order of the table."""
        return [*dict.fromkeys(self.floors.values()), *map(ours, self.variants.values()), *self.peers]

    def runs(self, clip: Clip) -> dict[str, Runs]:
        """Return empty runs over a clip, by program."""
        any_floor = next(iter(self.floors.values()))
        floors = {program.name: program.name for program in self.floors.values()}
        floors |= {name: program.name for name, program in self.floors.items()}
        return {each.name: Runs(clip, each.name, floors.get(each.name, any_floor.name)) for each in self.programs()}


def comparison(groups: Sequence[Sequence[str]], peers: Sequence[str]) -> Comparison:
    """Return the programs for the options.

    Raises BenchError, ConfigError.
    """
    others = [peer(text) for text in peers]
    if len({each.name for each in others}) < len(others):
        raise BenchError("--peer: each needs a name of its own")
    variants = {ours(group).name: group for group in groups or [[]]}
    encoding = {name: load_settings(group).encode for name, group in variants.items()}
    alone: dict[object, Program] = {}
    for name, group in variants.items():
        alone.setdefault(encoding[name], floor(group, number=len(alone)))
    return Comparison(variants, {name: alone[encoding[name]] for name in variants}, others)


def measure(clip: Clip, programs: Comparison, rounds: int, folder: Path, stages: bool) -> Measured:
    """Run all programs on a clip, by turns.

    Raises BenchError.
    """
    runs, reports = programs.runs(clip), Stages()
    for number in range(rounds):
        print(f"{clip.name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for program in programs.programs()[:: 1 if number % 2 else -1]:  # peers first: one that fails is told soon
            taken = runs[program.name]
            taken.single.append(run_checked(program, clip.single, folder, 1))
            taken.whole.append(run_checked(program, clip.path, folder, clip.frames))
        for name, overrides in programs.variants.items():
            runs[name].first_frame.append(run(first_frame(overrides), clip.path, folder / "first.mp4").wall_s)
            if stages:
                reports.setdefault(name, []).append(measure_stages(clip, overrides))
    return runs, reports


def run_checked(program: Program, source: Path, folder: Path, frames: int) -> Cost:
    """Run a program, and look at what it wrote."""
    target = folder / f"{source.stem}.out.mp4"
    cost = run(program, source, target)
    check_frames(program, target, frames)
    target.unlink()
    return cost


def measure_stages(clip: Clip, overrides: Sequence[str]) -> dict[str, Any]:
    """Time the stages in a process of their own. Raises BenchError."""
    command = [sys.executable, "-m", "scripts.bench.stages", str(clip.path), *overrides]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise BenchError(f"stages: exit code {ended.returncode} on {clip.path.name}: {last_line(ended.stderr)}")
    report: dict[str, Any] = json.loads(ended.stdout)
    return report
