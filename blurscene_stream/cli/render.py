"""`blurscene-stream render INPUT OUTPUT --from FILE`: redact as a file of detections says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blurscene_stream.address import parse_address
from blurscene_stream.cli.options import (
    AREAS,
    AUDIT,
    COMMAND_SETTINGS,
    CONFIGURE,
    ENCODE,
    HIDE,
    KEEP,
    TELL,
    WRITE,
    begin,
    options,
)
from blurscene_stream.cli.progress import ProgressBar
from blurscene_stream.cli.video import carry_out
from blurscene_stream.pipeline import Job, default_target, render_video

EPILOG = """\b
FILE has a header, and then one line for each frame, in order:
  {"frame": 0, "pts": 0, "time_s": 0.0, "boxes": [
   {"label": "face", "score": 0.87, "xyxy": [301.5, 220.25, 340.0, 268.75], "origin": "detected", "track": 4}]}

A box that is added by hand needs a label and its corners; every frame keeps its line. Boxes are in pixels of the stored
picture, before any rotation that the video asks for: x to the right, y down. Boxes with one track are one object. A
frame with "corrupt": true is covered whole.

\b
Examples:
  blurscene-stream drive.mp4 draft.mp4 --detections drive.jsonl
  blurscene-stream render drive.mp4 drive_anonymized.mp4 --from drive.jsonl

A FILE that does not fit INPUT, frame by frame, ends the run with exit code 1, 2 or 6, and nothing is left. Exit codes
are those of blurscene-stream --help.
"""


@click.command("render", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="[OUTPUT]", required=False)
@click.option("--from", "file", metavar="FILE", type=click.Path(path_type=Path), help="What to cover; see below.")
@options(AUDIT, WRITE, HIDE, AREAS, ENCODE, KEEP, CONFIGURE, TELL)
def render_command(
    source: str | None,
    target: str | None,
    file: Path | None,
    audit: str | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover in INPUT what FILE says, and write the result to OUTPUT. No detector looks at it.

    FILE was written by blurscene-stream INPUT ... --detections FILE, and may have been edited since. As it was written,
    and with the same settings, it gives the same pictures. INPUT is a video file.
    """
    settings, bar = begin(given)
    if source is None:
        raise click.UsageError("INPUT is missing")
    if file is None:
        raise click.UsageError("--from FILE is missing")
    here = parse_address(source)
    there = default_target(here, preview) if target is None else parse_address(target)
    job = Job(here, there, overwrite, preview, audit=parse_address(audit) if audit else None)
    carry_out(lambda callbacks, stop: render_video(job, file, settings, callbacks, stop), ProgressBar(bar))
    return 0
