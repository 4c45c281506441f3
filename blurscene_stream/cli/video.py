"""`blurscene-stream INPUT OUTPUT` and `blurscene-stream render`: one video, or one live stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.address import Address, parse_address
from blurscene_stream.cli.console import stop_on_signals
from blurscene_stream.cli.options import (
    AREA_OPTIONS,
    AUDIT_OPTIONS,
    BATCH_OPTIONS,
    COMMAND_SETTINGS,
    CONFIG_OPTIONS,
    DETECT_OPTIONS,
    ENCODE_OPTIONS,
    KEEP_OPTIONS,
    LOG_OPTIONS,
    OUTPUT_OPTIONS,
    REDACT_OPTIONS,
    options,
    prepare,
)
from blurscene_stream.cli.progress import ProgressBar, summary_fields, summary_line
from blurscene_stream.paths import (
    check_file_extension,
    check_output_path,
    check_video_input,
    default_target,
    is_pipe,
    preview_target,
    refuse_same,
)

if TYPE_CHECKING:
    from blurscene_stream.pipeline import Callbacks, StopToken, Summary

log = logging.getLogger(__name__)

VIDEO_EPILOG = """\b
Examples:
  blurscene-stream drive.mp4
  blurscene-stream -crf 18 --face-thresh 0.15 drive.mov out.mkv
  blurscene-stream rtsp://camera/live rtsp://server/anon
  cat drive.mkv | blurscene-stream - - > drive_anonymized.mkv

\b
Other commands:
  blurscene-stream verify --help    verify that a video is another one, redacted
  blurscene-stream inspect --help   list what a file holds, and what of it would be copied
  blurscene-stream audit --help     verify audit logs
  blurscene-stream render --help    redact by a detections file, edited or not
  blurscene-stream picture --help   anonymize images, or a folder of them
  blurscene-stream detect --help    print the detections in images
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

RENDER_EPILOG = """\b
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


@click.command("video", epilog=VIDEO_EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="[OUTPUT]", required=False)
@click.option("--detections", metavar="FILE", help="Also write the covered boxes of each frame, as JSON lines.")
@options(AUDIT_OPTIONS, OUTPUT_OPTIONS, DETECT_OPTIONS, BATCH_OPTIONS, REDACT_OPTIONS, AREA_OPTIONS, ENCODE_OPTIONS)
@options(KEEP_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
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
    drive_anonymized.mp4 if none is given. Audio, timing and the rest of the picture stay as they were.
    """
    (here, there), settings, bar = prepare(given, lambda: _check_addresses(source, target, overwrite, preview))
    log.info("%s", f"{here} -> {there}: loading the model", extra={"fields": {"event": "loading"}})
    from blurscene_stream.pipeline import Job, anonymize_video  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy

    job = Job(here, there, overwrite, preview, _optional_address(detections), _optional_address(audit))
    _run(lambda callbacks, stop_token: anonymize_video(job, settings, callbacks, stop_token), ProgressBar(bar))
    return 0


@click.command("render", epilog=RENDER_EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="[OUTPUT]", required=False)
@click.option("--from", "file", metavar="FILE", type=click.Path(path_type=Path), help="Detections file; see below.")
@options(AUDIT_OPTIONS, OUTPUT_OPTIONS, REDACT_OPTIONS, AREA_OPTIONS, ENCODE_OPTIONS)
@options(KEEP_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def render_command(
    source: str | None,
    target: str | None,
    file: Path | None,
    audit: str | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover the boxes of a detections file in INPUT, and write the result to OUTPUT. No detector runs.

    FILE was written by blurscene-stream INPUT ... --detections FILE, and may have been edited since. As it was written,
    and with the same settings, it gives the same pictures. INPUT is a video file.
    """

    def check() -> tuple[Address, Address, Path]:
        if source is not None and file is None:
            raise click.UsageError("--from FILE is missing")
        here, there = _check_addresses(source, target, overwrite, preview)
        assert file is not None
        return here, there, file

    (here, there, detections), settings, bar = prepare(given, check)
    from blurscene_stream.pipeline import Job, render_video  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy

    job = Job(here, there, overwrite, preview, audit=_optional_address(audit))
    _run(lambda callbacks, stop_token: render_video(job, detections, settings, callbacks, stop_token), ProgressBar(bar))
    return 0


def _check_addresses(source: str | None, target: str | None, overwrite: bool, preview: bool) -> tuple[Address, Address]:
    """Return input and output; refuse those that need no look at settings or video.

    Raises click.UsageError, UsageError, SourceError.
    """
    if source is None:
        raise click.UsageError("INPUT is missing")
    here = parse_address(source)
    there = default_target(here, preview) if target is None else parse_address(target)
    if preview:
        there = preview_target(there)
    refuse_same(here, there)
    if not there.live and not is_pipe(there):
        check_file_extension(there.path)
        check_output_path(there.path, overwrite)
    if not here.live and not here.piped:
        check_video_input(here.path)
    return here, there


def _optional_address(text: str | None) -> Address | None:
    return None if text is None else parse_address(text)


def _run(work: Callable[[Callbacks, StopToken], Summary], progress: ProgressBar) -> None:
    """Run the work on one video, with a progress bar, until it is done or stopped by a signal; log its summary."""
    from blurscene_stream.pipeline import Callbacks, EndedEarlyError, StopToken  # noqa: PLC0415

    stop_token = StopToken()
    try:
        with closing(progress), stop_on_signals(stop_token):
            summary = work(Callbacks(on_start=progress.start_video, on_frame=progress.add_frame), stop_token)
    except EndedEarlyError as error:
        _log_summary(error.summary)
        raise
    _log_summary(summary)


def _log_summary(summary: Summary) -> None:
    log.info("%s", summary_line(summary), extra={"fields": summary_fields(summary)})
