"""Measure blurscene-stream: whole runs and single stages, beside the codec alone and other programs.

    python -m scripts.bench
    python -m scripts.bench --sizes 720p 1080p 4K --objects 0 10 60 --rounds 3 --json bench.json
    python -m scripts.bench --set model=face_plate_v1 --set model=face_plate_v2 detect.precision=fp32
    python -m scripts.bench --files drive.mp4 --peer deface=PATH --peer "other=PROGRAM {input} {output}"
    python -m scripts.bench --sizes 1080p --frames 250 2500 --no-stages     does memory grow with the length?

Another checkout of this program as a peer, --peer with:
    before=sh -c 'cd CHECKOUT && exec python -m blurscene_stream -y --quiet "$@"' - {input} {output}

A Markdown report goes to standard output. All programs take turns, round by round; each figure is the median of the
rounds. Time a frame is that of the clip less that of its first frame alone, by the number of the other frames: start-up
is not in it. CPU time is user and system time of a process and its children; on a machine that does other work too it
is steadier than the clock. Peak memory is that of the largest process. `codec alone` decodes and encodes with the same
settings as the program and does nothing between.

Clips are made on the fly, with the extra "demo": a street with faces and licence plates that move. Exits with 1 and
one line when a program fails or a file cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import av

from blurscene_stream.errors import BlurSceneError, reason
from scripts.bench.clips import SIZES, Clip, given_clip, make_clip
from scripts.bench.comparison import Stages, comparison, measure
from scripts.bench.programs import BenchError, compile_package
from scripts.bench.report import Runs, machine, raw, stage_rows, stage_table, whole_table


def clips(chosen: argparse.Namespace, folder: Path) -> Iterator[Clip]:
    """Yield the clips to measure with, each made when it is needed."""
    for path in chosen.files:
        try:
            yield given_clip(path, folder)
        except (av.FFmpegError, OSError, ValueError, StopIteration) as error:
            raise BenchError(f"{path}: cannot be measured: {reason(error)}") from error
    for size in () if chosen.files else chosen.sizes:
        for objects in chosen.objects:
            for frames in chosen.frames:
                yield make_clip(folder, size, objects, frames)


def stage_reports(runs: Mapping[str, Runs], reports: Stages) -> list[dict[str, object]]:
    """Return what was measured of the stages of one clip, for each program."""
    return [
        {
            "clip": runs[name].clip.name,
            "program": name,
            **{key: rounds[0][key] for key in ("frames", "boxes", "inputs", "device")},
            "rows": stage_rows([each["stages"] for each in rounds], runs[name]),
        }
        for name, rounds in reports.items()
    ]


def markdown(report: Mapping[str, Any], peers: Sequence[str]) -> str:
    """Return the report as Markdown."""
    before, after = report["machine"], report["load_average_at_end"]
    libraries = ", ".join(f"{name} {number}" for name, number in before["libraries"].items())
    parts = [
        f"{before['processor']}, {before['cores']} cores ({' '.join(before['flags'])}); Python {before['python']}, "
        f"{libraries}; rounds: {report['rounds']}; load average {before['load_average_1_min']:.1f} at the start, "
        f"{after:.1f} at the end\n\n`{report['command']}`",
        whole_table(report["whole"], peers),
    ]
    for each in report["stages"]:
        parts.append(
            f"{each['clip']}, {each['program']}: {each['device']}, input {' and '.join(each['inputs'])}, "
            f"{each['boxes']:.1f} boxes a frame, first {each['frames']} frames"
        )
        parts.append(stage_table(each["rows"]))
    return "\n\n".join(parts)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="+", type=Path, default=[], metavar="FILE", help="instead of clips made here")
    parser.add_argument("--sizes", nargs="+", type=size, default=["720p", "1080p"], help=f"{', '.join(SIZES)} or WxH")
    parser.add_argument("--objects", nargs="+", type=int, default=[10], help="faces and plates in a clip")
    parser.add_argument("--frames", nargs="+", type=int, default=[75], help="length of a clip, at 25 frames/s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", nargs="+", action="append", default=[], metavar="KEY=VALUE", dest="groups")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH", dest="peers")
    parser.add_argument("--no-stages", action="store_false", dest="stages", help="whole runs alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report and every measurement as JSON")
    chosen = parser.parse_args(given)
    if min(chosen.rounds, *(count - 1 for count in chosen.frames), *(count + 1 for count in chosen.objects)) < 1:
        parser.error("--rounds must be at least 1, --frames 2, --objects 0")
    return chosen


def size(text: str) -> str:
    """Check a size, one of SIZES or WIDTHxHEIGHT."""
    if text not in SIZES and not re.fullmatch("[1-9][0-9]*[02468]x[1-9][0-9]*[02468]", text):
        raise argparse.ArgumentTypeError(f"{text}: must be {', '.join(SIZES)} or WIDTHxHEIGHT, both even")
    return text


def report_on(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure all that is asked for.

    Raises BenchError, BlurSceneError.
    """
    programs = comparison(chosen.groups, chosen.peers)
    compile_package()
    peers = [each.name for each in programs.peers]
    report: dict[str, Any] = {"machine": machine(), "command": command(), "rounds": chosen.rounds}
    whole, stages, every = [], [], []
    for clip in clips(chosen, folder):
        runs, reports = measure(clip, programs, chosen.rounds, folder, chosen.stages)
        whole += [each.row(runs, peers) for each in runs.values()]
        stages += stage_reports(runs, reports)
        every += [raw(each) for each in runs.values()]
    return report | {"whole": whole, "stages": stages, "runs": every, "load_average_at_end": os.getloadavg()[0]}


def command() -> str:
    """Return the command line, to be repeated."""
    return shlex.join(["python", "-m", "scripts.bench", *sys.argv[1:]])


def main(given: Sequence[str] | None = None) -> int:
    """Measure, and print the report."""
    chosen = arguments(given)
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = report_on(chosen, Path(folder))
    except (BenchError, BlurSceneError) as error:
        print(error, file=sys.stderr)
        return 1
    print(markdown(report, [text.partition("=")[0] for text in chosen.peers]))
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
