"""`blurscene-stream picture IN OUT`: one picture, or a folder of them."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from blurscene_stream.cli.options import AREAS, COMMAND_SETTINGS, CONFIGURE, HIDE, LOOK, TELL, WRITE, begin, options
from blurscene_stream.cli.progress import ProgressBar, pictures_fields, pictures_line
from blurscene_stream.cli.stopping import signals
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.image import ImageCallbacks, anonymize_images
from blurscene_stream.pipeline.image_paths import ImageJob

log = logging.getLogger(__name__)

EPILOG = """\b
Formats: jpeg, png, webp, bmp and tiff, in and out; OUT's ending chooses.

\b
Examples:
  blurscene-stream picture street.jpg street_anonymized.jpg
  blurscene-stream picture photos photos_anonymized

The first error ends the run; pictures that were finished before it stay. Exit codes are those of
blurscene-stream --help.
"""


@click.command("picture", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="IN", required=False, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", required=False, type=click.Path(path_type=Path))
@options(WRITE, LOOK, HIDE, AREAS, CONFIGURE, TELL)
def picture_command(
    source: Path | None,
    target: Path | None,
    overwrite: bool,
    preview: bool,
    **given: Any,
) -> int:
    """Cover every face and licence plate of the picture IN and write the result to OUT.

    Or of all pictures in the folder IN and below it, into the folder OUT. The result stands upright, and holds no
    metadata but a colour profile; in png, bmp, tiff and lossless webp the rest of the picture stays as it was.
    """
    settings, bar = begin(given)
    if source is None or target is None:
        raise click.UsageError(f"{'IN' if source is None else 'OUT'} is missing")
    _run(ImageJob(source, target, overwrite, preview), settings, ProgressBar(bar))
    return 0


def _run(job: ImageJob, settings: Settings, progress: ProgressBar) -> None:
    stop_token = StopToken()
    left = "pictures that were finished stay" if job.source.is_dir() else "nothing was left"
    with closing(progress), signals(stop_token, left):
        callbacks = ImageCallbacks(on_start=lambda count: progress.show(count, "pictures"), on_image=progress.count)
        summary = anonymize_images(job, settings, callbacks, stop_token)
    log.info("%s", pictures_line(summary), extra={"fields": pictures_fields(summary)})
