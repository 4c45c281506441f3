"""Assembly of the rooms: from a source to a sink, or from an image to an image, and on which thread."""

from blurscene_stream.pipeline.job import Callbacks, EndedEarlyError, Job, StopToken, Summary
from blurscene_stream.pipeline.video import anonymize_video, render_video

__all__ = ["Callbacks", "EndedEarlyError", "Job", "StopToken", "Summary", "anonymize_video", "render_video"]
