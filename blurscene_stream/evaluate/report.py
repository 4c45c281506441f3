"""Evaluation reports as Markdown tables, as report.json and as plots; these need matplotlib, the extra `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from blurscene_stream.config.serialization import models, program, to_json
from blurscene_stream.evaluate.bootstrap import Estimate
from blurscene_stream.evaluate.exposure import TrackReport
from blurscene_stream.evaluate.leaks import LeakReport, LeakSummary
from blurscene_stream.evaluate.options import EvaluationOptions
from blurscene_stream.evaluate.precision_recall import OWN, ClassReport, ImageReport
from blurscene_stream.own_files import EVALUATION, EVALUATION_PLOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOT_STATED = "not stated"
MAX_TRACKS = 20
"""Exposed tracks in the table."""
PLOT_INCHES, PLOT_DPI = (11, 4.5), 120


def format_image_report(report: ImageReport) -> str:
    """Format the metrics of a data set as a Markdown table with a column for each class."""
    columns = {name: dict(_class_rows(one)) for name, one in report.classes.items()}
    rows = list(next(iter(columns.values())))
    head = f"{report.dataset} ({report.format}): {report.images} images, on {report.device}"
    if report.clipped or report.dropped:
        head += f"; {report.clipped} boxes clipped at the border, {report.dropped} without area left out"
    table = [["measure", *columns]] + [[row, *(cells[row] for cells in columns.values())] for row in rows]
    return f"{head}\n\n{markdown_table(table)}"


def _class_rows(report: ClassReport) -> list[tuple[str, str]]:
    rows = [(name, _cell(estimate)) for name, estimate in report.average_precision.items()]
    for metric, by_threshold in (("recall", report.recall), ("precision", report.precision)):
        rows += [(f"{metric} at {_threshold_name(name)}", _cell(each)) for name, each in by_threshold.items()]
    rows += [(f"recall, {name} px", _cell(each)) for name, each in report.recall_by_size.items()]
    rows += [
        ("covered share, mean", _cell(report.mean_coverage)),
        ("covered at least 95 %", _cell(report.fully_covered)),
    ]
    return [*rows, ("own threshold", f"{report.threshold:g}")]


def _threshold_name(name: str) -> str:
    return "own threshold" if name == OWN else name


def format_leak_report(report: LeakReport) -> str:
    """Format the exposure in all clips, and the tracks with the longest exposure."""
    head = f"{report.clips} clips, {report.frames} frames, {report.seconds:.1f} s, on {report.device}"
    area = (
        f"area: {100 * report.covered_area:.2f} % of the picture covered, {100 * report.labelled_area:.2f} % labelled"
    )
    table = [["class", "tracks ever exposed", "frames exposed", "longest exposure, mean, ms", "worst, ms"]]
    table += [
        [name, _cell(one.tracks_exposed), _cell(one.frames_exposed), _cell(one.longest_ms, 0), _worst(one)]
        for name, one in report.classes.items()
    ]
    return "\n".join([head, "", markdown_table(table), "", area, *_exposed_tracks(report.tracks)])


def _worst(summary: LeakSummary) -> str:
    return NOT_STATED if summary.worst_ms is None else f"{summary.worst_ms:.0f}"


def _exposed_tracks(tracks: Sequence[TrackReport]) -> list[str]:
    exposed = sorted((track for track in tracks if track.exposed_frames), key=lambda track: -track.longest_ms)
    if not exposed:
        return []
    table = [["clip", "track", "class", "frames", "exposed", "longest, ms"]]
    table += [
        [
            *(Path(track.clip).name, track.track_id, track.class_name, str(track.frames)),
            *(f"{100 * track.exposed_frames / track.frames:.1f} %", f"{track.longest_ms:.0f}"),
        ]
        for track in exposed[:MAX_TRACKS]
    ]
    more = len(exposed) - MAX_TRACKS
    return ["", markdown_table(table), *([f"and {more} more tracks"] if more > 0 else [])]


def _cell(estimate: Estimate, digits: int = 3) -> str:
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        return NOT_STATED
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] n={estimate.count}"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Format rows, the first of them the head, as a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def report_json(report: ImageReport | LeakReport, options: EvaluationOptions) -> bytes:
    """Return report.json: the report, models, settings and options. The same run gives the same bytes."""
    content = {
        "format": EVALUATION.label,
        "program": program(),
        "models": models(options.settings),
        "bootstrap": to_json(options.bootstrap),
        "min_visible": options.min_visible,
        "min_size_px": options.min_size_px,
        "report": to_json(report),
        "settings": to_json(options.settings),
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def can_plot() -> bool:
    """Return whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401, PLC0415  slow to import, and optional
    except ImportError:
        return False
    return True


def plot_png(report: ImageReport) -> bytes:
    """Draw both charts side by side, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=PLOT_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_curves(left, report)
    _draw_recall_by_size(right, report)
    figure.suptitle(f"{Path(report.dataset).name}: {report.images} images")
    png = BytesIO()
    figure.savefig(png, format="png", dpi=PLOT_DPI, metadata={"Software": EVALUATION_PLOT.label})
    return png.getvalue()


def _draw_curves(axes: Axes, report: ImageReport) -> None:
    for name, of_class in report.classes.items():
        if of_class.curve:
            ap30 = of_class.average_precision["AP30"].value
            label = name if ap30 is None else f"{name}, AP30 {ap30:.3f}"
            axes.plot(
                [recall for recall, _ in of_class.curve], [precision for _, precision in of_class.curve], label=label
            )
    if axes.lines:
        axes.legend(loc="lower left")
    else:
        axes.text(0.5, 0.5, "not stated: annotations are not exhaustive", ha="center")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="matched at IoU 0.3")
    axes.grid(alpha=0.3)


def _draw_recall_by_size(axes: Axes, report: ImageReport) -> None:
    """Draw recall with its interval, one bar a class in each size bucket."""
    width = 0.8 / len(report.classes)
    buckets: list[str] = []
    for offset, (name, of_class) in enumerate(report.classes.items()):
        buckets = list(of_class.recall_by_size)
        shown = [(index, each) for index, each in enumerate(of_class.recall_by_size.values()) if each.value is not None]
        centers = [index + (offset + 0.5) * width - 0.4 for index, _ in shown]
        values = [each.value or 0.0 for _, each in shown]
        low = [max(0.0, value - (each.low or 0.0)) for value, (_, each) in zip(values, shown, strict=True)]
        high = [max(0.0, (each.high or 0.0) - value) for value, (_, each) in zip(values, shown, strict=True)]
        axes.bar(
            centers, values, width * 0.9, yerr=[low, high], capsize=3, label=f"{name}, threshold {of_class.threshold:g}"
        )
    axes.set_xticks(range(len(buckets)), buckets)
    axes.set_xlim(-0.5, len(buckets) - 0.5)
    axes.set(xlabel="longer side, pixels", ylabel="recall", ylim=(0, 1.05), title="recall by size, 95 % intervals")
    axes.legend(loc="lower right")
    axes.grid(axis="y", alpha=0.3)
