"""Reports as text that people read, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from blurscene_stream.config.provenance import models, plain, program
from blurscene_stream.evaluate.clips import TrackReport
from blurscene_stream.evaluate.estimates import Estimate
from blurscene_stream.evaluate.leaks import LeakReport, LeakSummary
from blurscene_stream.evaluate.measures import OWN, ClassReport, PictureReport
from blurscene_stream.evaluate.plan import Plan

NOT_STATED = "not stated"
MOST_TRACKS = 20


def picture_text(report: PictureReport) -> str:
    """The measures of a data set: a Markdown table with a column for each class."""
    columns = {name: dict(_class_rows(one)) for name, one in report.classes.items()}
    rows = list(next(iter(columns.values())))
    head = f"{report.dataset} ({report.kind}): {report.pictures} pictures, on {report.device}"
    if report.clipped or report.lost:
        head += f"; {report.clipped} boxes clipped at the border, {report.lost} without area left out"
    table = [["measure", *columns]] + [[row, *(cells[row] for cells in columns.values())] for row in rows]
    return f"{head}\n\n{markdown(table)}"


def _class_rows(one: ClassReport) -> list[tuple[str, str]]:
    rows = [(name, _cell(area)) for name, area in one.average_precision.items()]
    for word, measures in (("recall", one.recall), ("precision", one.precision)):
        rows += [(f"{word} at {_threshold(name)}", _cell(each)) for name, each in measures.items()]
    rows += [(f"recall, {name} px", _cell(each)) for name, each in one.recall_by_size.items()]
    rows += [("covered share, mean", _cell(one.covered_mean)), ("covered at least 95 %", _cell(one.covered_whole))]
    return [*rows, ("own threshold", f"{one.threshold:g}")]


def _threshold(name: str) -> str:
    return "own threshold" if name == OWN else name


def leak_text(report: LeakReport) -> str:
    """The exposures of all clips, and the tracks that are exposed the longest."""
    head = f"{report.clips} clips, {report.frames} frames, {report.seconds:.1f} s, on {report.device}"
    area = (
        f"area: {100 * report.covered_area:.2f} % of the picture covered, {100 * report.labelled_area:.2f} % labelled"
    )
    table = [["class", "tracks ever exposed", "frames exposed", "longest exposure, mean, ms", "worst, ms"]]
    table += [
        [name, _cell(one.tracks_exposed), _cell(one.frames_exposed), _cell(one.longest_ms, 0), _worst(one)]
        for name, one in report.classes.items()
    ]
    return "\n".join([head, "", markdown(table), "", area, *_exposed_tracks(report.tracks)])


def _worst(one: LeakSummary) -> str:
    return NOT_STATED if one.worst_ms is None else f"{one.worst_ms:.0f}"


def _exposed_tracks(tracks: Sequence[TrackReport]) -> list[str]:
    exposed = sorted((one for one in tracks if one.exposed_frames), key=lambda one: -one.longest_ms)
    if not exposed:
        return []
    table = [["clip", "track", "class", "frames", "exposed", "longest, ms"]]
    table += [
        [
            *(Path(one.clip).name, one.track, one.label, str(one.frames)),
            *(f"{100 * one.exposed_frames / one.frames:.1f} %", f"{one.longest_ms:.0f}"),
        ]
        for one in exposed[:MOST_TRACKS]
    ]
    more = len(exposed) - MOST_TRACKS
    return ["", markdown(table), *([f"and {more} more tracks"] if more > 0 else [])]


def _cell(one: Estimate, digits: int = 3) -> str:
    if one.value is None or one.low is None or one.high is None:
        return NOT_STATED
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}] n={one.count}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The rows, the first of them the head, as a Markdown table in even columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def report_json(report: PictureReport | LeakReport, plan: Plan) -> bytes:
    """What was measured, with what, and how. The same run gives the same bytes."""
    content = {
        "program": program(),
        "models": models(plan.settings),
        "bootstrap": plain(plan.resampling),
        "least_visible": plan.least_visible,
        "least_px": plan.least_px,
        "report": plain(report),
        "settings": plain(plan.settings),
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()
