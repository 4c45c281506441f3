"""Still images whose detections come from a file: read, redact and write, without a detector."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import write_file
from blurscene_stream.config.schema import Settings
from blurscene_stream.image import encode, format_for, refuse_loss
from blurscene_stream.paths import refuse_same
from blurscene_stream.pipeline.detection import prefix_errors
from blurscene_stream.pipeline.image import NAMELESS, ImageSummary, read_image
from blurscene_stream.pipeline.image_detections import redact_listed
from blurscene_stream.pipeline.image_paths import ImageJob, plan
from blurscene_stream.pipeline.job import StopToken
from blurscene_stream.sidecar import DetectionsFile

log = logging.getLogger(__name__)


def render_image(job: ImageJob, file: Path, settings: Settings, stop_token: StopToken) -> ImageSummary:
    """Write an anonymized copy of an image file, covering what the detections file `file` says.

    With the settings of the run that wrote `file`, and the file as it was written, the result is that of that run.
    Raises the first error, a BlurSceneError when it was foreseen; nothing is then left.
    """
    (pair,) = plan(job).pairs
    refuse_same(Address(str(file.absolute())), Address(str(pair.target)), "file of detections and output")
    start_s, file_format = time.monotonic(), format_for(pair.target)
    with stop_token.reraise_swallowed(), stop_token.defer(), DetectionsFile(file, settings) as listed:
        image = read_image(pair.source)
        log.info("%s -> %s, %s", pair.source, pair.target, listed.description)
        with prefix_errors(str(pair.source), *NAMELESS[:-2]):
            refuse_loss(image, file_format)
        frame = redact_listed(image, listed, settings, str(pair.source), job.preview)
        data = encode(frame, file_format)
        stop_token.raise_if_stopped()
        write_file(pair.target, data, job.overwrite)
    summary = ImageSummary(str(pair.target), listed.device_name, images=1, seconds=time.monotonic() - start_s)
    summary.found.update(frame.detections.class_names[class_id] for class_id in frame.detections.class_ids)
    return summary
