"""The tasks of a command are done: one, several one after the other, or several at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from blurscene_stream.address import optional_address
from blurscene_stream.bulk import Done, Plan, Result, Task, files_at_once, run_task
from blurscene_stream.cli.bulk import report
from blurscene_stream.cli.console import resume_collection, stop_on_signals
from blurscene_stream.cli.files_progress import FilesProgress
from blurscene_stream.cli.progress import (
    Progress,
    image_summary_fields,
    image_summary_line,
    summary_fields,
    summary_line,
)
from blurscene_stream.cli.task_checks import check_task, outcome

if TYPE_CHECKING:
    from blurscene_stream.api import Anonymizer
    from blurscene_stream.config.schema import Settings
    from blurscene_stream.pipeline import Callbacks, StopToken, Summary
    from blurscene_stream.pipeline.detection import LoadDetector

    Follow = Callable[[Callable[[Callbacks], Summary]], Summary]
    """Does the work on one video, and shows its progress."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flags:
    """Options that are no settings, of a run over videos or images."""

    overwrite: bool
    preview: bool
    audit: str | None
    make_progress: Callable[[], Progress]


def run_tasks(planned: Plan, flags: Flags, settings: Settings, load_detector: LoadDetector) -> int:
    """Do all tasks; return the exit code."""
    from blurscene_stream.api import Anonymizer  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy
    from blurscene_stream.pipeline import StopToken  # noqa: PLC0415

    resume_collection()
    anonymizer, stop_token = Anonymizer(settings, load_detector=load_detector), StopToken()
    follow = partial(follow_video, flags.make_progress)
    if not planned.bulk:
        with stop_on_signals(stop_token, outcome(planned.tasks[0])):
            _run(planned.tasks[0], flags, anonymizer, follow, stop_token)
        return 0
    rest = "" if flags.overwrite else "; the same command does the rest"
    with stop_on_signals(stop_token, f"files that were finished stay{rest}"):
        count = files_at_once(settings.files_at_once, planned.tasks, flags.overwrite)
        if count > 1:
            results = _run_at_once(planned, count, flags, settings, load_detector, stop_token)
        else:
            results = [_run_of_several(task, flags, anonymizer, follow, stop_token) for task in planned.tasks]
        return report(planned, results)


def _run_at_once(
    planned: Plan, count: int, flags: Flags, settings: Settings, load_detector: LoadDetector, stop_token: StopToken
) -> list[Result]:
    """Do the tasks, `count` at the same time, with one detector, which the main thread loads: a signal can stop it."""
    from blurscene_stream.api import Anonymizer  # noqa: PLC0415
    from blurscene_stream.pipeline import Callbacks  # noqa: PLC0415
    from blurscene_stream.pipeline.at_once import run_at_once, shared_detector, with_shared_cores  # noqa: PLC0415

    shared = with_shared_cores(settings, count)
    with (
        shared_detector(settings, count, load_detector) as lend,
        closing(FilesProgress(flags.make_progress(), len(planned.tasks))) as progress,
    ):
        callbacks = Callbacks(progress.start_video, progress.add_frame)

        def run(task: Task, own_token: StopToken) -> Result:
            anonymizer = Anonymizer(shared, load_detector=lend)
            result = _run_of_several(task, flags, anonymizer, lambda work: _logged(work, callbacks), own_token)
            progress.add_file()
            return result

        return run_at_once([partial(run, task) for task in planned.tasks], count, stop_token)


def _run_of_several(task: Task, flags: Flags, anonymizer: Anonymizer, follow: Follow, stop_token: StopToken) -> Result:
    def checked(task: Task) -> Done:
        check_task(task, flags.overwrite)
        return _run(task, flags, anonymizer, follow, stop_token)

    return run_task(task, checked, flags.overwrite)


def _run(task: Task, flags: Flags, anonymizer: Anonymizer, follow: Follow, stop_token: StopToken) -> Done:
    """Do a task. Raises the first error of any stage."""
    stop_token.raise_if_stopped()  # a request that came when the task before was as good as done
    if task.image:
        return _run_image(task, flags, anonymizer, stop_token)
    return _run_video(task, flags, anonymizer, follow, stop_token)


def _run_video(task: Task, flags: Flags, anonymizer: Anonymizer, follow: Follow, stop_token: StopToken) -> Done:
    from blurscene_stream.pipeline import Job  # noqa: PLC0415

    audit = optional_address(flags.audit)
    job = Job(task.source, task.target, flags.overwrite, flags.preview, task.detections, audit)
    summary = follow(lambda callbacks: anonymizer.run(job, callbacks, stop_token))
    return Done(summary.frames, summary.found)


def _run_image(task: Task, flags: Flags, anonymizer: Anonymizer, stop_token: StopToken) -> Done:
    from blurscene_stream.pipeline.image_files import ImageCallbacks  # noqa: PLC0415
    from blurscene_stream.pipeline.image_paths import ImageJob, plan  # noqa: PLC0415

    job = ImageJob(task.source.path, task.target.path, flags.overwrite, flags.preview, task.detections)
    summary = anonymizer.run_images(plan(job), ImageCallbacks(), stop_token)
    log.info("%s", image_summary_line(summary), extra={"fields": image_summary_fields(summary)})
    return Done(summary.images, summary.found)


def follow_video(make_progress: Callable[[], Progress], work: Callable[[Callbacks], Summary]) -> Summary:
    """Do the work on one video, with a progress bar, and log its summary, also when the source ended early."""
    from blurscene_stream.pipeline import Callbacks  # noqa: PLC0415

    progress = make_progress()

    def shown(callbacks: Callbacks) -> Summary:
        with closing(progress):
            return work(callbacks)

    return _logged(shown, Callbacks(on_start=progress.start_video, on_frame=progress.add_frame))


def _logged(work: Callable[[Callbacks], Summary], callbacks: Callbacks) -> Summary:
    from blurscene_stream.pipeline import DiskFullError, EndedEarlyError  # noqa: PLC0415

    try:
        summary = work(callbacks)
    except (EndedEarlyError, DiskFullError) as error:
        _log_summary(error.summary)
        raise
    _log_summary(summary)
    return summary


def _log_summary(summary: Summary) -> None:
    log.info("%s", summary_line(summary), extra={"fields": summary_fields(summary)})
