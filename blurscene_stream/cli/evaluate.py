"""`blurscene-stream evaluate DATASET`: how much is found and covered, on labelled pictures and videos."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import click

from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIGURE, HIDE, LOOK, TELL, begin, options
from blurscene_stream.cli.progress import ProgressBar
from blurscene_stream.cli.report_files import ReportFiles
from blurscene_stream.cli.stopping import signals
from blurscene_stream.evaluate import (
    LeakReport,
    Names,
    PictureReport,
    Plan,
    Resampling,
    find_pairs,
    leak_text,
    measure_leaks,
    measure_pictures,
    picture_text,
)
from blurscene_stream.pipeline import StopToken

Report = PictureReport | LeakReport

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
@click.option("--video", type=click.Path(path_type=Path), help="A video, or a folder of them, instead of DATASET.")
@click.option("--truth", type=click.Path(path_type=Path), help="Its truth, if that is not NAME.truth.jsonl beside it.")
@click.option("--map", "maps", multiple=True, metavar="NAME=CLASS", help="What a class of DATASET is; NAME= for none.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for report.json, plot.png.")
@click.option("-y", "overwrite", is_flag=True, help="Replace report.json and plot.png if they exist.")
@click.option(
    "--least-visible",
    type=click.FloatRange(0, 1),
    default=0.5,
    help="In a video: of an object, to count. 0.5.",
)
@click.option(
    "--least-px", type=click.FloatRange(0), default=0, help="In a video: longer side of an object, to count. 0."
)
@click.option("--draws", type=click.IntRange(1, 1_000_000), default=1000, help="Of the bootstrap: 1000.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the bootstrap: 0.")
@options(LOOK, HIDE, CONFIGURE, TELL)
def evaluate_command(
    dataset: Path | None,
    video: Path | None,
    truth: Path | None,
    output: Path | None,
    overwrite: bool,
    maps: tuple[str, ...],
    least_visible: float,
    least_px: float,
    draws: int,
    seed: int,
    **given: Any,
) -> int:
    """Measure what is found in labelled pictures, or what leaks from labelled videos; print a table."""
    settings, bar = begin(given)
    if (dataset is None) == (video is None):
        raise click.UsageError("give either DATASET or --video")
    if truth is not None and video is None:
        raise click.UsageError("--truth is for --video")
    files = None if output is None else ReportFiles(output, overwrite)
    pairs = [] if video is None else find_pairs(video, truth)
    if files is not None and dataset is not None:
        files.check_pictures(dataset)
    elif files is not None:
        files.check_videos(chain.from_iterable(pairs))
    stop_token = StopToken()
    names = Names(list(settings.classes), maps)
    with signals(stop_token, "no report was written"), stop_token.reraise_swallowed():
        with closing(ProgressBar(bar)) as progress:
            sampling = Resampling(draws, seed)
            plan = Plan(settings, names, sampling, least_visible, least_px, progress.reach, stop_token)
            report: Report = measure_pictures(dataset, plan) if dataset is not None else measure_leaks(pairs, plan)
        click.echo(leak_text(report) if isinstance(report, LeakReport) else picture_text(report))
        if files is not None:
            files.write(report, plan)
    return 0
