"""`blurscene-stream INPUT OUTPUT`: one video, or one live stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from blurscene_stream.address import Address, parse_address
from blurscene_stream.cli.options import (
    AREAS,
    AUDIT,
    COMMAND_SETTINGS,
    CONFIGURE,
    ENCODE,
    HIDE,
    KEEP,
    LOOK,
    TELL,
    WRITE,
    begin,
    options,
)
from blurscene_stream.cli.progress import ProgressBar, closing_fields, closing_line
from blurscene_stream.cli.stopping import signals
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video, default_target

log = logging.getLogger(__name__)

EPILOG = """\b
Examples:
  blurscene-stream drive.mp4
  blurscene-stream -crf 18 --face-thresh 0.15 drive.mov out.mkv
  blurscene-stream rtsp://camera/live rtsp://server/anon
  cat drive.mkv | blurscene-stream - - > drive_anonymized.mkv

\b
Other commands:
  blurscene-stream verify --help    prove that a video is another one, redacted
  blurscene-stream inspect --help   tell what a file holds, and what of it would pass
  blurscene-stream audit --help     look after audit logs
  blurscene-stream render --help    redact as a file of detections says, edited or not
  blurscene-stream picture --help   anonymize pictures, or a folder of them
  blurscene-stream detect --help    print what is found in pictures
  blurscene-stream evaluate --help  measure recall and leaks on labelled data

\b
Exit codes:
  0  done                            8  live source lost
  1  could not run                   9  output could not be encoded or written
  2  bad usage or settings          10  live target lost
  3  input cut short or damaged     11  device missing
  4  verify: FAIL (5: REVIEW)       70  internal error
  6  detection failed              130  stopped by Ctrl-C (143: by SIGTERM)
  7  redaction failed
"""


@click.command("video", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="[OUTPUT]", required=False)
@click.option("--detections", metavar="FILE", help="Also write what was covered in each frame, as JSON lines.")
@options(AUDIT, WRITE, LOOK)
@click.option("--batch-size", help="Pictures a call of the detector.")
@options(HIDE, AREAS, ENCODE, KEEP, CONFIGURE, TELL)
def video_command(
    source: str | None,
    target: str | None,
    detections: str | None,
    audit: str | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover every face and licence plate of INPUT and write the result to OUTPUT.

    Each is a video file, a pipe or an rtsp:// address; - is standard input or output, and the OUTPUT of drive.mp4 is
    drive_anonymized.mp4 if none is given. Sound, timing and the rest of the picture stay as they were.
    """
    settings, bar = begin(given)
    if source is None:
        raise click.UsageError("INPUT is missing")
    here = parse_address(source)
    there = default_target(here, preview) if target is None else parse_address(target)
    job = Job(here, there, overwrite, preview, _beside(detections), _beside(audit))
    carry_out(lambda callbacks, stop: anonymize_video(job, settings, callbacks, stop), ProgressBar(bar))
    return 0


def _beside(file: str | None) -> Address | None:
    return None if file is None else parse_address(file)


def carry_out(work: Callable[[Callbacks, StopToken], Summary], progress: ProgressBar) -> None:
    """Do the work on one video: it can be stopped, and what it has done is told."""
    stop_token = StopToken()
    with closing(progress), signals(stop_token):
        callbacks = Callbacks(on_start=progress.started, on_frame=progress.written)
        summary = work(callbacks, stop_token)
    log.info("%s", closing_line(summary), extra={"fields": closing_fields(summary)})
