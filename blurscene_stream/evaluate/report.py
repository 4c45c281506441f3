"""Evaluation reports as Markdown tables and as report.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from blurscene_stream.config.serialization import models, program, to_json
from blurscene_stream.evaluate.bootstrap import Estimate
from blurscene_stream.evaluate.exposure import TrackReport
from blurscene_stream.evaluate.leaks import LeakReport, LeakSummary
from blurscene_stream.evaluate.options import EvaluationOptions
from blurscene_stream.evaluate.precision_recall import OWN, ClassReport, ImageReport

NOT_STATED = "not stated"
MAX_TRACKS = 20
"""Exposed tracks in the table."""


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
        "program": program(),
        "models": models(options.settings),
        "bootstrap": to_json(options.bootstrap),
        "min_visible": options.min_visible,
        "min_size_px": options.min_size_px,
        "report": to_json(report),
        "settings": to_json(options.settings),
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()
