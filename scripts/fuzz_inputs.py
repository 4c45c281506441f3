"""Feed broken videos of every kind to the real command line, and check that it fails as it should or leaks nothing.

python -m scripts.fuzz_inputs [--cases 2000] [--seed 1] [--only NUMBER] FOLDER

A case is a small video that is cut, overwritten, put together wrongly or all of that; its number and the seed tell
which. Cases run one after the other in a process of their own, with limits on time and memory: when it dies or hangs,
that is a finding, and a new one goes on. A detector that finds what is bright stands in for the network, and notes
which pictures it judged. A broken input is kept in FOLDER when something is wrong with its run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.videos import VideoSpec, make_video

ROOT = Path(__file__).parent.parent
CASE_S = 60
DOCUMENTED = {0, 1, 2, 3, 6, 7, 9}


def _spec(codec: str = "libx264", audio: tuple[str, ...] = ("aac",), **options: str) -> VideoSpec:
    pixels = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(codec, "yuv420p")
    return VideoSpec(12, 64, 48, codec=codec, audio=audio, pixel_format=pixels, options=options)


FILMS: dict[str, tuple[VideoSpec, dict[str, str]]] = {
    "h264.mp4": (_spec(), {}),
    "fast.mp4": (_spec(g="4"), {"movflags": "+faststart"}),
    "parts.mp4": (_spec(g="4"), {"movflags": "+frag_keyframe+empty_moov"}),
    "hevc.mp4": (_spec("libx265"), {}),
    "part2.mp4": (_spec("mpeg4"), {}),
    "mjpeg.mov": (_spec("mjpeg"), {}),
    "prores.mov": (_spec("prores_ks"), {}),
    "h264.3gp": (_spec(), {}),
    "orders.mkv": (_spec(preset="medium", g="6"), {}),
    "hevc.mkv": (_spec("libx265", preset="medium"), {}),
    "ffv1.mkv": (_spec("ffv1", level="3", slicecrc="1"), {}),
    "av1.mkv": (_spec("libsvtav1", ("libopus",), preset="12"), {}),
    "vp9.webm": (_spec("libvpx-vp9", ("libopus",), deadline="realtime"), {}),
    "vp8.webm": (_spec("libvpx", ("libopus",), deadline="realtime"), {}),
    "h264.ts": (_spec(g="4"), {}),
    "mpeg2.ts": (_spec("mpeg2video", ("mp2",)), {}),
    "h264.m2ts": (_spec(g="4"), {"mpegts_m2ts_mode": "1"}),
    "part2.avi": (_spec("mpeg4", ("mp2",)), {}),
    "mjpeg.avi": (_spec("mjpeg", ("mp2",)), {}),
    "mpeg2.mpg": (_spec("mpeg2video", ("mp2",)), {}),
    "h264.flv": (_spec(), {}),
    "bare.h264": (_spec(audio=(), g="4"), {}),
    "bare.hevc": (_spec("libx265", ()), {}),
    "bare.mjpeg": (_spec("mjpeg", ()), {}),
}
TARGETS = ("out.mp4", "out.mkv", "out.ts")  # the first one cannot go through a pipe
PIPED = 0.15  # of the cases


def make_films(folder: Path) -> dict[str, bytes]:
    """Every whole video; they are made where they are not there yet."""
    os.environ.setdefault("SVT_LOG", "1")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (spec, options) in FILMS.items():
        if not (folder / name).exists():
            make_video(folder / name, spec, options)
    return {name: (folder / name).read_bytes() for name in FILMS}


def _part(data: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.randint(1, longest))


def _cut(data: bytes, _: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def _flip(data: bytes, _: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    end = rng.choice([600, len(made)])  # the head tells what all the rest is
    for _flips in range(rng.choice([1, 3, 20, 200])):
        made[rng.randrange(min(end, len(made)))] ^= 1 << rng.randrange(8)
    return bytes(made)


def _zero(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start, stop = _part(data, rng, rng.choice([4, 64, 4096]))
    return data[:start] + bytes(stop - start) + data[stop:]


def _noise(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start, stop = _part(data, rng, rng.choice([4, 64, 4096]))
    return data[:start] + rng.randbytes(stop - start) + data[stop:]


def _remove(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start, stop = _part(data, rng, 4096)
    return data[:start] + data[stop:] or data[:1]


def _repeat(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start, stop = _part(data, rng, 4096)
    return data[:stop] + data[start:]


def _concatenate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data + rng.choice([data, other])


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))] + other[rng.randrange(len(other)) :]


def _insert(data: bytes, other: bytes, rng: random.Random) -> bytes:
    start, stop = _part(other, rng, 4096)
    place = rng.randrange(len(data))
    return data[:place] + other[start:stop] + data[place:]


CHANGES: Sequence[Callable[[bytes, bytes, random.Random], bytes]] = (
    *(_cut, _flip, _flip, _zero, _noise, _remove, _repeat, _concatenate, _splice, _insert),
)


@dataclass(frozen=True)
class Case:
    """A broken video.

    name:   of the video that it was
    change: what was done to it
    piped:  it comes through a named pipe, and what is made of it goes through another one
    """

    name: str
    change: str
    data: bytes
    target: str
    piped: bool


def make_case(films: dict[str, bytes], seed: int, number: int) -> Case:
    """The same for the same videos, seed and number."""
    rng = random.Random(f"{seed}/{number}")
    name, other = rng.choice(list(films)), rng.choice(list(films))
    data, done = films[name], []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change = rng.choice(CHANGES)
        data = change(data, films[other], rng)
        done.append(change.__name__.strip("_"))
    piped = rng.random() < PIPED
    return Case(name, "+".join(done), data, rng.choice(TARGETS[piped:]), piped)


@dataclass
class Report:
    """What came out.

    codes:     exit codes, each with how often
    by_change: for each change how often the run ended well, and how often it did not
    frames:    pictures that were written; of them, covered whole
    findings:  cases whose runs were not as they should be
    """

    cases: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    covered_whole: int = 0
    slowest_s: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, case: Case, number: int, result: dict[str, object]) -> None:
        """Count what the run of a case has told."""
        self.cases += 1
        code = int(str(result["code"]))
        self.codes[code] += 1
        for change in case.change.split("+"):
            (self.refused if code else self.done)[change] += 1
        self.frames += int(str(result["frames"]))
        self.covered_whole += int(str(result["covered_whole"]))
        self.slowest_s = max(self.slowest_s, float(str(result["seconds"])))
        problems = result["problems"]
        assert isinstance(problems, list)
        self.findings += [f"case {number} ({case.name}, {case.change}): {problem}" for problem in problems]

    def lines(self) -> Iterator[str]:
        """The report in words."""
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        yield f"{self.cases} cases; exit codes {codes}; slowest {self.slowest_s:.1f} s"
        yield f"{self.frames} pictures written, {self.covered_whole} of them covered whole"
        for change in sorted(self.done.keys() | self.refused.keys()):
            yield f"  {change}: {self.done[change]} went through, {self.refused[change]} were refused"
        yield from self.findings or ["nothing to report"]


def fuzz(folder: Path, seed: int, numbers: Sequence[int], case_s: float = CASE_S) -> Report:
    """Run the cases of these numbers, in order."""
    films, report = make_films(folder / "films"), Report()
    waiting = list(numbers)
    while waiting:
        command = [sys.executable, "-m", "scripts.fuzz_case", str(folder), str(seed), *map(str, waiting[:500])]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            asked = waiting[:500]
            while asked:
                ready, _, _ = select.select([child.stdout], [], [], case_s)
                line = child.stdout.readline() if ready else b""
                if not line:
                    child.kill()
                    how = f"died of {child.wait()}" if ready else f"still ran after {case_s:g} s"
                    result: dict[str, object] = dict.fromkeys(("frames", "covered_whole", "seconds"), 0)
                    result |= {"code": -1, "problems": [how]}
                else:
                    result = json.loads(line)
                number = asked.pop(0)
                waiting.remove(number)
                report.add(make_case(films, seed, number), number, result)
                if not line:
                    break
    return report


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    given = parser.parse_args()
    numbers = range(given.cases) if given.only is None else [given.only]
    report = fuzz(given.folder, given.seed, numbers)
    print("\n".join(report.lines()))
    sys.exit(1 if report.findings else 0)


if __name__ == "__main__":
    main()
