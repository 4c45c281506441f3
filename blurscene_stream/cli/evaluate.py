"""`blurscene-stream evaluate DATASET`: recall, precision and leaks on labelled images and videos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import make_folder, write_file
from blurscene_stream.cli.console import stop_on_signals
from blurscene_stream.cli.options import (
    COMMAND_SETTINGS,
    CONFIG_OPTIONS,
    DETECT_OPTIONS,
    LOG_OPTIONS,
    REDACT_OPTIONS,
    options,
    prepare,
)
from blurscene_stream.errors import UsageError
from blurscene_stream.own_files import EVALUATION, EVALUATION_PLOT
from blurscene_stream.paths import check_exists, check_output_folder, check_report_path

if TYPE_CHECKING:
    from blurscene_stream.evaluate import EvaluationOptions, ImageReport, LeakReport

log = logging.getLogger(__name__)

REPORT, PLOT = "report.json", "plot.png"

EPILOG = """\b
DATASET: a folder, or the file with its labels:
  labels.jsonl                a picture a line: file, width, height, boxes, exhaustive
  COCO's .json                iscrowd and ignore need not be found
  data.yaml or classes.txt    YOLO, labels beside the pictures or in labels/ for images/
  a folder of .xml            Pascal VOC, difficult need not be found

\b
Truth of a video: a line a frame,
  {"frame": 0, "pts_s": 0.0, "objects": [
    {"track": 1, "label": "face", "xyxy": [10, 20, 30, 44], "visible": 1.0}]}

\b
Examples:
  blurscene-stream evaluate street --output report
  blurscene-stream evaluate coco/val.json --map "vehicle registration=license_plate" --map "*="
  blurscene-stream evaluate --video drive.mp4 --truth drive.truth.jsonl
"""


@click.command("evaluate", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("dataset", metavar="DATASET", required=False, type=click.Path(path_type=Path))
@click.option(
    "--video", metavar="PATH", type=click.Path(path_type=Path), help="A video, or a folder of them, instead of DATASET."
)
@click.option(
    "--truth",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Ground truth of the video (default NAME.truth.jsonl beside it).",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="NAME=CLASS",
    help="Class of the model that a class of DATASET stands for; NAME= for none. May be repeated.",
)
@click.option(
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to which report.json and plot.png are written.",
)
@click.option("-y", "overwrite", is_flag=True, help="Replace report.json and plot.png of an earlier evaluation.")
@click.option(
    "--min-visible",
    metavar="FLOAT",
    type=click.FloatRange(0, 1),
    default=0.5,
    help="Videos: minimum visible share of an object (default 0.5).",
)
@click.option(
    "--min-size-px",
    metavar="FLOAT",
    type=click.FloatRange(0),
    default=0,
    help="Videos: minimum longer side of an object in pixels (default 0).",
)
@click.option(
    "--draws",
    metavar="INTEGER",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    help="Number of bootstrap draws for the intervals (default 1000).",
)
@click.option(
    "--seed", metavar="INTEGER", type=click.IntRange(0), default=0, help="Seed of the bootstrap draws (default 0)."
)
@options(DETECT_OPTIONS, REDACT_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def evaluate_command(
    dataset: Path | None,
    video: Path | None,
    truth: Path | None,
    output: Path | None,
    overwrite: bool,
    maps: tuple[str, ...],
    min_visible: float,
    min_size_px: float,
    draws: int,
    seed: int,
    **given: Any,
) -> int:
    """Measure recall and precision on labelled images, or leaks of labelled videos; print a table."""
    place, settings, make_progress = prepare(given, lambda: _check_inputs(dataset, video, truth))
    import blurscene_stream.evaluate as evaluation  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy
    from blurscene_stream.pipeline import StopToken  # noqa: PLC0415

    pairs = [] if video is None else evaluation.find_video_pairs(video, truth)
    if output is not None:
        _check_output(output, [place] if dataset else [path for pair in pairs for path in pair], dataset, overwrite)
    stop_token = StopToken()
    mapping, bootstrap = evaluation.ClassMapping(list(settings.classes), maps), evaluation.Bootstrap(draws, seed)
    with stop_on_signals(stop_token, "no report was written"):
        with closing(make_progress()) as progress:
            plan = evaluation.EvaluationOptions(
                settings, mapping, bootstrap, min_visible, min_size_px, progress.update, stop_token
            )
            report: ImageReport | LeakReport
            report = evaluation.measure_images(place, plan) if dataset else evaluation.measure_leaks(pairs, plan)
        click.echo(_table(report))
        if output is not None:
            _write_report(output, report, plan, overwrite)
    return 0


def _table(report: ImageReport | LeakReport) -> str:
    from blurscene_stream.evaluate import LeakReport, format_image_report, format_leak_report  # noqa: PLC0415

    return format_leak_report(report) if isinstance(report, LeakReport) else format_image_report(report)


def _check_inputs(dataset: Path | None, video: Path | None, truth: Path | None) -> Path:
    """Return the data set or video.

    Raises click.UsageError, SourceError.
    """
    place = video if dataset is None else dataset
    if place is None or (dataset is not None and video is not None):
        raise click.UsageError("give either DATASET or --video")
    if truth is not None and video is None:
        raise click.UsageError("--truth is for --video")
    if dataset is not None:
        check_exists(dataset)
    return place


def _check_output(folder: Path, inputs: Sequence[Path], dataset: Path | None, overwrite: bool) -> None:
    """Refuse a folder that cannot take the report of `inputs`, before any work is done for it.

    Raises UsageError.
    """
    from blurscene_stream.evaluate import can_plot  # noqa: PLC0415

    if dataset is not None:
        home = dataset if dataset.is_dir() else dataset.parent
        if folder.resolve().is_relative_to(home.resolve()):
            raise UsageError(
                f"{folder}: lies inside the data set and could be read as a part of it next time; choose another folder"
            )
    check_output_folder(folder)
    if folder.exists():
        plots = {PLOT: EVALUATION_PLOT} if dataset is not None and can_plot() else {}
        others = [("input", Address(str(path))) for path in inputs]
        for name, kind in {REPORT: EVALUATION, **plots}.items():
            check_report_path(Address(str(folder / name)), kind, others, overwrite)


def _write_report(folder: Path, report: ImageReport | LeakReport, plan: EvaluationOptions, overwrite: bool) -> None:
    """Write report.json, and for images plot.png where it can be drawn.

    Raises SinkError.
    """
    from blurscene_stream.evaluate import ImageReport, can_plot, plot_png, report_json  # noqa: PLC0415

    files = {folder / REPORT: report_json(report, plan)}
    if isinstance(report, ImageReport):
        if can_plot():
            files[folder / PLOT] = plot_png(report)
        else:
            missing = "matplotlib is missing, pip install matplotlib"
            log.warning("%s", f"plot.png was left out: {missing}")
    with plan.stop_token.defer():  # from here on it is too late to stop: all files are written
        make_folder(folder)
        for path, data in files.items():
            write_file(path, data, overwrite)
    log.info("%s", f"written: {', '.join(map(str, files))}")
