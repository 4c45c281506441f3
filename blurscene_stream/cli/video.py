"""`blurscene-stream INPUT OUTPUT` and `blurscene-stream render`: videos, images and live streams."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.address import optional_address, parse_address
from blurscene_stream.bulk import Plan, Task, plan, single_task
from blurscene_stream.cli.bulk import (
    announce,
    refuse_foreign_outputs,
    refuse_foreign_pictures,
    split_arguments,
)
from blurscene_stream.cli.console import stop_on_signals
from blurscene_stream.cli.foreign_options import COMPATIBILITY_OPTIONS
from blurscene_stream.cli.options import (
    AREA_OPTIONS,
    AUDIT_OPTIONS,
    BATCH_OPTIONS,
    BULK_OPTIONS,
    CLASS_OPTIONS,
    COMMAND_SETTINGS,
    CONFIG_OPTIONS,
    DETECT_OPTIONS,
    ENCODE_OPTIONS,
    INPUT_OPTIONS,
    KEEP_OPTIONS,
    LOG_OPTIONS,
    OUTPUT_OPTIONS,
    REDACT_OPTIONS,
    options,
    prepare,
)
from blurscene_stream.cli.progress import image_summary_fields, image_summary_line
from blurscene_stream.cli.task_checks import check_image_options, check_task, outcome
from blurscene_stream.cli.tasks import Flags, follow_video, run_tasks

if TYPE_CHECKING:
    from blurscene_stream.config.schema import Settings
    from blurscene_stream.pipeline import StopToken

log = logging.getLogger(__name__)

VIDEO_EPILOG = """\b
Examples:
  blurscene-stream drive.mp4
  blurscene-stream -crf 18 --face-thresh 0.15 drive.mov out.mkv
  blurscene-stream rtsp://camera/live rtsp://server/anon
  blurscene-stream videos -o videos_anonymized
  blurscene-stream *.mp4 *.jpg -o anonymized
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
  blurscene-stream serve --help     serve a web page and HTTP requests on this computer
  blurscene-stream export --help    write a built-in network as ONNX or in OpenVINO's format

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
  blurscene-stream render street.jpg street_anonymized.jpg --from street.jsonl

A FILE that does not fit INPUT, frame by frame, ends the run with exit code 1, 2 or 6, and nothing is left. Exit codes
are those of blurscene-stream --help.
"""


@click.command("video", epilog=VIDEO_EPILOG, **COMMAND_SETTINGS)
@click.argument("paths", metavar="INPUT... [OUTPUT]", nargs=-1)
@options(INPUT_OPTIONS)
@click.option("--detections", metavar="FILE", help="Also write the covered boxes of each frame, as JSON lines.")
@options(AUDIT_OPTIONS, OUTPUT_OPTIONS, DETECT_OPTIONS, CLASS_OPTIONS, BATCH_OPTIONS, BULK_OPTIONS)
@options(REDACT_OPTIONS, AREA_OPTIONS)
@options(ENCODE_OPTIONS, KEEP_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS, COMPATIBILITY_OPTIONS)
def video_command(
    paths: tuple[str, ...],
    inputs: tuple[str, ...],
    output: str | None,
    detections: str | None,
    audit: str | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover every face and licence plate of INPUT and write the result to OUTPUT.

    INPUT is a video, a picture, a folder of them, a pipe or an rtsp:// address; - is standard input or output, and the
    OUTPUT of drive.mp4 is drive_anonymized.mp4 if none is given. Audio, timing and the rest of the picture stay as they
    were. With several inputs, -o names the folder for the results.
    """

    def check() -> Plan:
        sources, target = split_arguments(paths, inputs, output)
        planned = plan(sources, target, detections, preview)
        check_image_options(planned, audit)
        if not planned.bulk:
            check_task(planned.tasks[0], overwrite)
        if overwrite and target is not None and output is None:
            refuse_foreign_outputs(planned.tasks, "name it with -o")
        return planned

    planned, settings, make_progress = prepare(given, check)
    announce(planned)
    from blurscene_stream.pipeline.detection import detector_ahead, load_configured_detector  # noqa: PLC0415

    flags = Flags(overwrite, preview, audit, make_progress)
    # of several files perhaps none is left to do
    with nullcontext(load_configured_detector) if planned.bulk else detector_ahead(settings) as load_detector:
        return run_tasks(planned, flags, settings, load_detector)


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
    and with the same settings, it gives the same pictures. INPUT is a video file or a picture.
    """

    def check() -> tuple[Task, Path]:
        if source is None:
            raise click.UsageError("INPUT is missing")
        if file is None:
            raise click.UsageError("--from FILE is missing")
        task = single_task(parse_address(source), target, preview=preview)
        check_image_options(Plan([task]), audit)
        check_task(task, overwrite)
        if overwrite and target is not None:
            if task.image:
                refuse_foreign_pictures([task.target.path])
            else:
                refuse_foreign_outputs([task], "move it away")
        return task, file

    (task, detections), settings, make_progress = prepare(given, check)
    from blurscene_stream.pipeline import Job, StopToken, render_video  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV

    stop_token, flags = StopToken(), Flags(overwrite, preview, audit, make_progress)
    with stop_on_signals(stop_token, outcome(task)):
        if task.image:
            _render_image(task, detections, flags, settings, stop_token)
        else:
            job = Job(task.source, task.target, overwrite, preview, audit=optional_address(audit))
            follow_video(make_progress, partial(render_video, job, detections, settings, stop_token=stop_token))
    return 0


def _render_image(task: Task, file: Path, flags: Flags, settings: Settings, stop_token: StopToken) -> None:
    from blurscene_stream.pipeline.image_files import render_image  # noqa: PLC0415
    from blurscene_stream.pipeline.image_paths import ImageJob  # noqa: PLC0415

    job = ImageJob(task.source.path, task.target.path, flags.overwrite, flags.preview)
    summary = render_image(job, file, settings, stop_token)
    log.info("%s", image_summary_line(summary), extra={"fields": image_summary_fields(summary)})
