"""`blurscene-stream detect PICTURE...`: what is found, as JSON lines or as a table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.cli.logs import printable
from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIGURE, LOOK, TELL, begin, options
from blurscene_stream.cli.stopping import signals
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.image import ImageDetections, detect_images

EPILOG = """\b
On a terminal, a table. Anywhere else, one JSON object a picture and line:
  {"file": "street.jpg", "width": 1280, "height": 720,
   "boxes": [{"label": "face", "score": 0.87, "xyxy": [301.5, 220.25, 340.0, 268.75]}]}

Width, height and boxes are in pixels of the upright picture, that is, with its EXIF orientation heeded: x to the right,
y down, the corner at x1 y1 not in the box any more. Boxes are as found, without margin.
"""


@click.command("detect", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, type=click.Path(path_type=Path))
@options(LOOK, CONFIGURE, TELL)
def detect_command(pictures: tuple[Path, ...], **given: Any) -> int:
    """Print where faces and licence plates are in each PICTURE; nothing is written to files."""
    settings, _ = begin(given)
    if not pictures:
        raise click.UsageError("PICTURE is missing")
    stop_token = StopToken()
    tell = _print_table if sys.stdout.isatty() else _print_json
    with signals(stop_token, "the pictures that are not printed were not looked at"):
        detect_images(pictures, settings, tell, stop_token)
    return 0


def _print_json(file: Path, found: ImageDetections) -> None:
    rows = [
        {"label": label, "score": round(score, 4), "xyxy": [round(edge, 2) for edge in box]}
        for label, score, box in _rows(found)
    ]
    line = {"file": str(file), "width": found.width, "height": found.height, "boxes": rows}
    print(json.dumps(line), flush=True)


def _print_table(file: Path, found: ImageDetections) -> None:
    print(f"{printable(str(file))}  {found.width}x{found.height}  {'' if len(found.detections) else 'nothing found'}")
    for label, score, box in _rows(found):
        x0, y0, x1, y1 = box
        print(f"  {label:<15} {score:.2f}  x {x0:7.1f} to {x1:7.1f}  y {y0:7.1f} to {y1:7.1f}", flush=True)


def _rows(found: ImageDetections) -> list[tuple[str, float, list[float]]]:
    """Label, score and corners of each box, cut at the border of the picture."""
    boxes = _cut(found.detections, found.width, found.height).tolist()
    labels = [found.detections.class_names[label] for label in found.detections.class_ids]
    return list(zip(labels, found.detections.scores.tolist(), boxes, strict=True))


def _cut(detections: Detections, width: int, height: int) -> Boxes:
    return detections.xyxy.clip(0, (width, height, width, height))
