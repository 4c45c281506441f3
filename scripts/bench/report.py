"""The report: medians of the rounds, ratios to the codec alone and to other programs, as Markdown and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from statistics import median

from blurscene_stream.detect.backends.processor import cpu_flags
from scripts.bench.clips import Clip
from scripts.bench.programs import Cost
from scripts.bench.stages import FLOORS

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
LIBRARIES = ("av", "numpy", "opencv-python-headless", "openvino", "onnxruntime", "torch")


@dataclass
class Runs:
    """All rounds of one program over one clip.

    whole:       costs of the clip; single: of its first frame alone, as a file of its own
    first_frame: seconds until the first frame of the clip is written; empty for other programs than this one
    floor:       name of the program that only decodes and encodes, with the same settings
    """

    clip: Clip
    program: str
    floor: str
    whole: list[Cost] = field(default_factory=list)
    single: list[Cost] = field(default_factory=list)
    first_frame: list[float] = field(default_factory=list)

    @property
    def frames_per_s(self) -> float | None:
        """Frames a second by the clock, start-up apart; None when the clip is too short to tell."""
        return _inverse(self._beyond_single(lambda cost: cost.wall_s))

    @property
    def cpu_ms(self) -> float | None:
        """CPU time a frame in ms, start-up apart; None when the clip is too short to tell."""
        seconds = self._beyond_single(lambda cost: cost.cpu_s)
        return None if seconds is None else 1000 * seconds

    def _beyond_single(self, of: Callable[[Cost], float]) -> float | None:
        """Return what each frame takes beyond the first one."""
        taken = median(map(of, self.whole)) - median(map(of, self.single))
        return taken / (self.clip.frames - 1) if taken > 0 else None

    def row(self, others: Mapping[str, Runs], peers: Sequence[str]) -> dict[str, object]:
        """Return the figures of one line; `others`: runs over the same clip by name of program."""
        floor = others[self.floor]
        gpu = [cost.gpu_percent for cost in self.whole if cost.gpu_percent is not None]
        return {
            "clip": self.clip.name,
            "program": self.program,
            "frames_per_s": self.frames_per_s,
            "cpu_ms_a_frame": self.cpu_ms,
            "cpu_to_codec_alone": _ratio(self.cpu_ms, floor.cpu_ms),
            "frames_per_s_to_peers": {name: _ratio(self.frames_per_s, others[name].frames_per_s) for name in peers},
            "one_frame_s": median(cost.wall_s for cost in self.single),
            "one_frame_cpu_s": median(cost.cpu_s for cost in self.single),
            "first_frame_s": median(self.first_frame) if self.first_frame else None,
            "peak_mib": max(cost.peak_mib for cost in self.whole),
            "gpu_busy_percent": median(gpu) if gpu else None,
        }


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1 / value


def _ratio(value: float | None, by: float | None) -> float | None:
    return None if value is None or by is None else value / by


def machine() -> dict[str, object]:
    """Return what the figures depend on: processor, its flags, cores, libraries, and how busy the machine is."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flag in cpu_flags()],
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "load_average_1_min": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def stage_rows(rounds: Sequence[Mapping[str, Mapping[str, float | None]]], whole: Runs) -> list[dict[str, object]]:
    """Return a line for each stage, their sum, and what a whole run takes besides; medians of the rounds."""
    rows: list[dict[str, object]] = []
    for name in FLOORS:
        cpu, wall, floor = (_median(each[name][key] for each in rounds) for key in ("cpu_ms", "wall_ms", "floor_ms"))
        rows.append(_stage_row(name, cpu, wall, floor))
    total = sum(float(str(row["cpu_ms"])) for row in rows)
    rows.append(_stage_row("all stages", total, None, None))
    rest = None if whole.cpu_ms is None else whole.cpu_ms - total
    rows.append(_stage_row("between the stages", rest, None, None))
    rows.append(_stage_row("whole run", whole.cpu_ms, None, None))
    return rows


def _stage_row(name: str, cpu: float | None, wall: float | None, floor: float | None) -> dict[str, object]:
    ratio = None if not floor else _ratio(cpu, floor)
    return {"stage": name, "cpu_ms": cpu, "wall_ms": wall, "floor_ms": floor, "cpu_to_floor": ratio}


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def whole_table(rows: Sequence[Mapping[str, object]], peers: Sequence[str]) -> str:
    """Return whole runs as a Markdown table."""
    head = ["Clip", "Program", "Frames/s", "CPU ms a frame", "CPU to codec alone"]
    head += [f"Frames/s to {name}" for name in peers]
    head += ["One frame alone, s", "and CPU s", "First frame out, s", "Peak MiB", "GPU busy %"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        ratios = row["frames_per_s_to_peers"]
        assert isinstance(ratios, dict)
        figures = [_text(row["frames_per_s"], 1), _text(row["cpu_ms_a_frame"], 1), _text(row["cpu_to_codec_alone"], 2)]
        figures += [_text(ratios[name], 2) for name in peers]
        figures += [_text(row[key], 2) for key in ("one_frame_s", "one_frame_cpu_s", "first_frame_s")]
        figures += [_text(row["peak_mib"], 0), _text(row["gpu_busy_percent"], 0)]
        lines.append(_line([str(row["clip"]), str(row["program"]), *figures]))
    return "\n".join(lines)


def stage_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the stages of one clip and program as a Markdown table."""
    head = ["Stage", "CPU ms a frame", "Wall ms a frame", "Floor, CPU ms", "CPU to floor", "The floor"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        figures = [_text(row["cpu_ms"], 2), _text(row["wall_ms"], 2), _text(row["floor_ms"], 2)]
        name = str(row["stage"])
        lines.append(_line([name, *figures, _text(row["cpu_to_floor"], 2), FLOORS.get(name, "")]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float | int) else ""


def raw(runs: Runs) -> dict[str, object]:
    """Return every single measurement of a program over a clip."""
    costs = {"whole": [asdict(cost) for cost in runs.whole], "single": [asdict(cost) for cost in runs.single]}
    return {"clip": runs.clip.name, "program": runs.program, **costs, "first_frame_s": runs.first_frame}
