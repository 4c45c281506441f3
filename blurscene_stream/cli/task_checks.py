"""Checks of one input and its output that need no look at settings, nor into the file."""

from __future__ import annotations

from blurscene_stream.bulk import Plan, Task
from blurscene_stream.errors import UsageError
from blurscene_stream.paths import check_file_extension, check_output_path, check_video_input, is_pipe, refuse_same


def check_image_options(planned: Plan, audit: str | None) -> None:
    """Raises UsageError when an image is to have what only a video gets."""
    image = next((task.source for task in planned.tasks if task.image), None)
    if image is None:
        return
    if audit is not None:
        raise UsageError(f"{image}: the audit log takes videos alone; leave out --audit or the picture")


def check_task(task: Task, overwrite: bool) -> None:
    """Refuse what needs no look at settings or video.

    Raises UsageError, SourceError.
    """
    here, there = task.source, task.target
    refuse_same(here, there)
    if not there.live and not is_pipe(there):
        if not task.image:
            check_file_extension(there.path)
        check_output_path(there.path, overwrite)
    if here.local:
        check_video_input(here.path)


def outcome(task: Task) -> str:
    """Return the state of the output of a task that was stopped."""
    piped = not task.target.live and is_pipe(task.target)
    return "what was read from the pipe is not complete" if piped else "nothing was left"
