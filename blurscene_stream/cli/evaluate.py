"""`blurscene-stream evaluate DATASET`: how much is found and covered, on labelled pictures and videos."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from blurscene_stream.cli.logs import set_up_logs
from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIGURE, HIDE, LOOK, TELL, load, options
from blurscene_stream.config.show import show
from blurscene_stream.evaluate import (
    LeakReport,
    Names,
    PictureReport,
    Plan,
    Resampling,
    can_plot,
    find_pairs,
    leak_text,
    measure_leaks,
    measure_pictures,
    picture_text,
    write_plot,
    write_report,
)

log = logging.getLogger(__name__)

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
@click.option(
    "--least-visible",
    type=click.FloatRange(0, 1),
    default=0.5,
    help="In a video: of an object, to count. 0.5.",
)
@click.option("--draws", type=click.IntRange(1, 1_000_000), default=1000, help="Of the bootstrap: 1000.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the bootstrap: 0.")
@options(LOOK, HIDE, CONFIGURE, TELL)
def evaluate_command(
    dataset: Path | None,
    video: Path | None,
    truth: Path | None,
    output: Path | None,
    show_config: bool,
    quiet: bool,
    maps: tuple[str, ...],
    least_visible: float,
    draws: int,
    seed: int,
    **given: Any,
) -> int:
    """Measure what is found in labelled pictures, or what leaks from labelled videos; print a table."""
    loaded = load(given)
    if show_config:
        click.echo(show(loaded), nl=False)
        return 0
    if (dataset is None) == (video is None):
        raise click.UsageError("give either DATASET or --video")
    if truth is not None and video is None:
        raise click.UsageError("--truth is for --video")
    set_up_logs(loaded.settings.logging, quiet)
    settings = loaded.settings
    names = Names(list(settings.classes), maps)
    with _progress(not quiet and not settings.logging.json) as progress:
        plan = Plan(settings, names, Resampling(draws, seed), least_visible, progress)
        report = measure_leaks(find_pairs(video, truth), plan) if video else measure_pictures(dataset or Path(), plan)
    click.echo(leak_text(report) if isinstance(report, LeakReport) else picture_text(report))
    if output is not None:
        _write(output, report, plan)
    return 0


def _write(folder: Path, report: PictureReport | LeakReport, plan: Plan) -> None:
    written = [write_report(folder, report, plan)]
    if isinstance(report, PictureReport):
        if can_plot():
            written.append(write_plot(folder, report))
        else:
            log.warning("%s", "plot.png was left out: matplotlib is missing, pip install 'blurscene-stream[evaluate]'")
    log.info("%s", f"written: {', '.join(map(str, written))}")


@contextmanager
def _progress(wanted: bool) -> Generator[Callable[[int, int], None]]:
    """Shows what is done on stderr, if that is a terminal."""
    tqdm.monitor_interval = 0  # no thread of its own
    with tqdm(disable=not (wanted and sys.stderr.isatty()), dynamic_ncols=True, leave=False) as bar:

        def show_progress(done: int, whole: int) -> None:
            bar.total = whole
            bar.update(done - bar.n)

        yield show_progress
