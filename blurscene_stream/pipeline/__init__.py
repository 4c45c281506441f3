"""Assembly of the rooms: from a source to a sink, or from an image to an image, and on which thread.

The names below are loaded when they are first used (PEP 562): the detector is loaded ahead of the other rooms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blurscene_stream.pipeline.job import Callbacks, DiskFullError, EndedEarlyError, Job, StopToken, Summary
    from blurscene_stream.pipeline.video import anonymize_video, render_video

__all__ = [
    "Callbacks",
    "DiskFullError",
    "EndedEarlyError",
    "Job",
    "StopToken",
    "Summary",
    "anonymize_video",
    "render_video",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "video" if name.endswith("_video") else "job"
    return getattr(import_module(f"blurscene_stream.pipeline.{home}"), name)
