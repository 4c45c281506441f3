"""The rooms put together: what flows from a source to a sink, and on which thread."""

from blurscene_stream.pipeline.interruption import Interruption
from blurscene_stream.pipeline.job import Job, Summary, Watch
from blurscene_stream.pipeline.render import render_video
from blurscene_stream.pipeline.targets import default_target
from blurscene_stream.pipeline.video import anonymize_video

__all__ = ["Interruption", "Job", "Summary", "Watch", "anonymize_video", "default_target", "render_video"]
