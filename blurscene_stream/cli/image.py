"""`blurscene-stream picture` and `blurscene-stream detect`: images, or a folder of them."""

from __future__ import annotations

import json
import logging
import math
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.address import Address, optional_address
from blurscene_stream.cli.bulk import refuse_foreign_pictures
from blurscene_stream.cli.console import stop_on_signals
from blurscene_stream.cli.options import (
    AREA_OPTIONS,
    COMMAND_SETTINGS,
    CONFIG_OPTIONS,
    DETECT_OPTIONS,
    LOG_OPTIONS,
    OUTPUT_OPTIONS,
    REDACT_OPTIONS,
    options,
    prepare,
)
from blurscene_stream.cli.progress import image_summary_fields, image_summary_line
from blurscene_stream.log_lines import printable
from blurscene_stream.paths import check_exists, check_output_path, refuse_same

if TYPE_CHECKING:
    from blurscene_stream.pipeline.image import ImageDetections
    from blurscene_stream.pipeline.image_paths import Plan

log = logging.getLogger(__name__)

PICTURE_EPILOG = """\b
Formats: jpeg, png, webp, bmp and tiff, in and out; OUT's extension chooses.

\b
Examples:
  blurscene-stream picture street.jpg street_anonymized.jpg
  blurscene-stream picture photos photos_anonymized
  blurscene-stream picture street.jpg draft.jpg --detections street.jsonl
  blurscene-stream render street.jpg street_anonymized.jpg --from street.jsonl

The first error ends the run; pictures that were finished before it stay. Exit codes are those of
blurscene-stream --help.
"""

DETECT_EPILOG = """\b
On a terminal, a table. Anywhere else, and with --format json, one JSON object a picture and line:
  {"file": "street.jpg", "width": 1280, "height": 720,
   "boxes": [{"label": "face", "score": 0.87, "xyxy": [301.5, 220.25, 340.0, 268.75]}]}

Width, height and boxes are in pixels of the upright picture, with its EXIF orientation applied: x to the right, y down,
the corner at x1 y1 excluded. Boxes are as detected, without margin.

--format blurscene prints a line for each box as BlurScene's inference.py does, out to whole pixels, with the number of
the class among the sorted names (0: face, 1: license_plate):
  [301, 220, 340, 269, 0, 0.87]
"""


@click.command("picture", epilog=PICTURE_EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="IN", required=False, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", required=False, type=click.Path(path_type=Path))
@click.option("--detections", metavar="FILE", help="Also write the boxes covered in the picture, as JSON lines.")
@options(OUTPUT_OPTIONS, DETECT_OPTIONS, REDACT_OPTIONS, AREA_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def picture_command(
    source: Path | None,
    target: Path | None,
    detections: str | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover every face and licence plate of the picture IN and write the result to OUT.

    Or of all pictures in the folder IN and below it, into the folder OUT. The result is upright, and holds no metadata
    but a color profile; in png, bmp, tiff and lossless webp the rest of the picture stays as it was.
    """
    planned, settings, make_progress = prepare(
        given, lambda: _planned(source, target, overwrite, preview, optional_address(detections))
    )
    log.info("%s", f"{source} -> {target}: loading the model", extra={"fields": {"event": "loading"}})
    from blurscene_stream.api import Anonymizer  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy
    from blurscene_stream.pipeline import StopToken  # noqa: PLC0415
    from blurscene_stream.pipeline.image_files import ImageCallbacks  # noqa: PLC0415

    stop_token = StopToken()
    outcome = "pictures that were finished stay" if planned.job.source.is_dir() else "nothing was left"
    with closing(make_progress()) as progress, stop_on_signals(stop_token, outcome):
        callbacks = ImageCallbacks(on_start=lambda count: progress.start(count, "pictures"), on_image=progress.add)
        summary = Anonymizer(settings).run_images(planned, callbacks, stop_token)
    log.info("%s", image_summary_line(summary), extra={"fields": image_summary_fields(summary)})
    return 0


def _planned(
    source: Path | None, target: Path | None, overwrite: bool, preview: bool, detections: Address | None
) -> Plan:
    """Return the files of a run; refuse what can be refused before the settings are read.

    Raises click.UsageError, SourceError, UsageError.
    """
    if source is None or target is None:
        raise click.UsageError(f"{'IN' if source is None else 'OUT'} is missing")
    check_exists(source)
    if source.is_file() and not preview:
        refuse_same(Address(str(source)), Address(str(target)))
        if target.exists():
            check_output_path(target, overwrite)
    from blurscene_stream.pipeline.image_paths import ImageJob, plan  # noqa: PLC0415  # imports NumPy, Pillow

    planned = plan(ImageJob(source, target, overwrite, preview, detections))
    if overwrite:
        refuse_foreign_pictures(pair.target for pair in planned.pairs)
    return planned


@click.command("detect", epilog=DETECT_EPILOG, **COMMAND_SETTINGS)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "line_format",
    type=click.Choice(["table", "json", "blurscene"]),
    help="Form of the output (default: a table on a terminal, else JSON).",
)
@options(DETECT_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def detect_command(pictures: tuple[Path, ...], line_format: str | None, **given: Any) -> int:
    """Print the faces and licence plates that are detected in each PICTURE. No file is written."""

    def check() -> None:
        if not pictures:
            raise click.UsageError("PICTURE is missing")
        for picture in pictures:
            check_exists(picture)

    _, settings, _ = prepare(given, check)
    from blurscene_stream.pipeline import StopToken  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy
    from blurscene_stream.pipeline.image_files import detect_images  # noqa: PLC0415

    stop_token = StopToken()
    print_detections = PRINTERS[line_format or ("table" if sys.stdout.isatty() else "json")]
    with stop_on_signals(stop_token, "nothing was detected in the pictures that are not printed"):
        detect_images(pictures, settings, print_detections, stop_token)
    return 0


def _print_json(file: Path, found: ImageDetections) -> None:
    print(json.dumps({"file": str(file), **found.as_dict()}), flush=True)


def _print_table(file: Path, found: ImageDetections) -> None:
    print(f"{printable(str(file))}  {found.width}x{found.height}  {'' if len(found.detections) else 'nothing found'}")
    for label, score, (x0, y0, x1, y1) in found.boxes:
        print(f"  {label:<15} {score:.2f}  x {x0:7.1f} to {x1:7.1f}  y {y0:7.1f} to {y1:7.1f}", flush=True)


def _print_blurscene(_file: Path, found: ImageDetections) -> None:
    """Print the lines of BlurScene's `python inference.py IMAGE`."""
    numbers = {name: number for number, name in enumerate(sorted(found.detections.class_names))}
    for label, score, (x0, y0, x1, y1) in found.boxes:
        corners = (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
        print(f"[{', '.join(map(str, corners))}, {numbers[label]}, {score:.2f}]", flush=True)


PRINTERS = {"table": _print_table, "json": _print_json, "blurscene": _print_blurscene}
