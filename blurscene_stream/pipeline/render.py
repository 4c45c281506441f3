"""A video is redacted as a file of detections says: no detector looks at it."""

from __future__ import annotations

from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.pipeline.interruption import Interruption
from blurscene_stream.pipeline.job import Job, Summary, Watch
from blurscene_stream.pipeline.targets import preview_target, refuse_same
from blurscene_stream.pipeline.video import write_video
from blurscene_stream.sidecar import DetectionsFile


def render_video(job: Job, file: Path, settings: Settings, watch: Watch, interruption: Interruption) -> Summary:
    """Write an anonymized copy of a video file; what is covered is what `file` says.

    With the settings of the run that wrote `file`, and the file as it was written, the pictures are those of that run.
    Raises the first error of any stage, as `anonymize_video` does; UsageError for a live source.
    """
    if job.source.live:
        raise UsageError(f"{job.source}: a live stream cannot be rendered, its pictures are gone; give a video file")
    target = preview_target(job.target) if job.preview else job.target
    refuse_same(Address(str(file.absolute())), target, "file of detections and output")
    with DetectionsFile(file, settings) as judgement:
        return write_video(job, judgement.obeyed(settings), watch, interruption, lambda _: judgement)
