"""A run over several inputs: what was typed, and the table at its end."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from blurscene_stream.address import parse_address
from blurscene_stream.bulk import Plan, Result, Task, worst_exit_code
from blurscene_stream.cli import COMMANDS
from blurscene_stream.cli.progress import format_counts
from blurscene_stream.errors import SourceError, UsageError
from blurscene_stream.log_lines import printable

log = logging.getLogger(__name__)

STATUS_TEXTS = {"done": "done", "exists": "there already", "failed": "FAILED"}


def split_arguments(paths: Sequence[str], inputs: Sequence[str], output: str | None) -> tuple[list[str], str | None]:
    """Return the inputs, and the output if one was named: by -o, or by its place.

    Without -o the second of two paths is the output, and so is the last of several when it is a folder; after -i there
    is nothing but an output.
    Raises click.UsageError for what cannot be told apart, SourceError for a path that is a word rather than a file.
    """
    sources, last = [*inputs, *paths], None
    by_place = len(paths) == 1 if inputs else len(paths) == 2 or (len(paths) > 2 and Path(paths[-1]).is_dir())
    if output is None and by_place:
        *sources, last = sources
    if not sources:
        raise click.UsageError("INPUT is missing")
    if output is None and inputs and len(paths) > 1:
        raise click.UsageError("after -i there is one OUTPUT at most; name every input with -i, or the output with -o")
    for source in sources:
        _refuse_missing(source, several=len(sources) > 1)
    return sources, last if output is None else output


def _refuse_missing(text: str, several: bool) -> None:
    """Refuse an input that is not there, with what was probably meant."""
    address = parse_address(text)
    if not address.local or _exists(address.path):
        return
    hint = _meaning(text) or ("; name the output of several inputs with -o" if several else "")
    raise SourceError(f"{address}: there is no such file{hint}")


def _counted(files: Sequence[Path]) -> str:
    return f"{len(files):,} files are" if len(files) > 1 else "1 file is"


def _meaning(text: str) -> str:
    if text.isdigit() or text in ("cam", "webcam", "camera") or text.startswith("/dev/video"):
        return "; a camera is given by its rtsp:// address"
    if text in ("help", "version"):
        return f"; did you mean blurscene-stream --{text}?"
    close = difflib.get_close_matches(text, COMMANDS, 1, 0.7)
    return f"; did you mean blurscene-stream {close[0]}?" if close else ""


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # too long, or in a folder that may not be looked at: the check of the input tells
        return True


def refuse_foreign_outputs(tasks: Sequence[Task], way_out: str) -> None:
    """Refuse to replace what this program has not made: `-y a.mp4 b.mp4` may have been meant as two inputs.

    Only for outputs that are told by their place. A picture bears no mark of ours, and is not replaced.
    Raises UsageError.
    """
    for task in tasks:
        if task.target.local and task.target.path.is_file() and not _is_ours(task):
            raise _foreign_output(task.target.path, "picture" if task.image else "video", way_out)


def refuse_foreign_pictures(targets: Iterable[Path]) -> None:
    """Refuse to replace pictures with metadata, of a camera for instance, which this program never writes.

    Raises UsageError.
    """
    from blurscene_stream.image.metadata import is_foreign  # noqa: PLC0415  # imports Pillow, NumPy

    for target in targets:
        if target.is_file() and is_foreign(target):
            raise _foreign_output(target, "picture", "move it away")


def _is_ours(task: Task) -> bool:
    from blurscene_stream.source.inspection.output_metadata import is_own_output  # noqa: PLC0415  # imports PyAV

    return task.target.path.stat().st_size == 0 or (not task.image and is_own_output(task.target.path))


def _foreign_output(target: Path, what: str, way_out: str) -> UsageError:
    return UsageError(
        f"{target}: nothing shows that this program has made it: an original may be lost; "
        f"{way_out} if this {what} is to be replaced"
    )


def announce(plan: Plan) -> None:
    """Log what will be done, before the model is loaded."""
    first = plan.tasks[0]
    what = f"{len(plan.tasks):,} files" if plan.bulk else f"{first.source} -> {first.target}"
    log.info("%s", f"{what}: loading the model", extra={"fields": {"event": "loading"}})
    if plan.ignored:
        names = ", ".join(path.name for path in plan.ignored[:3])
        more = ", ..." if len(plan.ignored) > 3 else ""
        log.info("%s", f"{_counted(plan.ignored)} neither video nor picture, and left alone: {names}{more}")


def report(plan: Plan, results: Sequence[Result]) -> int:
    """Log a table of how each task of a plan ended, and return the worst exit code."""
    exit_code = worst_exit_code(results)
    width = max(len(printable(str(result.task.source))) for result in results)
    for result in results:
        fields = {
            "event": "file",
            "source": str(result.task.source),
            "target": str(result.task.target),
            "status": result.status,
            "exit_code": result.exit_code,
            "reason": result.reason,
        }
        log.info("%s", f"{result.task.source!s:<{width}}  {_ending(result)}", extra={"fields": fields})
    counts = Counter(STATUS_TEXTS[result.status] for result in results)
    totals = ", ".join(f"{count:,} {text}" for text, count in counts.items())
    fields = {"event": "all_done", "exit_code": exit_code}
    ignored = f"; {len(plan.ignored):,} left alone, neither video nor picture" if plan.ignored else ""
    log.info("%s", f"{len(results):,} files: {totals}{ignored}", extra={"fields": fields})
    return exit_code


def _ending(result: Result) -> str:
    if result.status != "done":
        failed = f" (exit code {result.exit_code}): {result.reason}"
        why = failed if result.exit_code else ", left as it is; -y replaces it"
        return f"{STATUS_TEXTS[result.status]}{why}"
    found = format_counts(Counter(result.done.found))
    unit = "picture" if result.task.image else f"{result.done.frames:,} frames"
    return f"done in {result.seconds:,.1f} s: {unit}, {found}"
