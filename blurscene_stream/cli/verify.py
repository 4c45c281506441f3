"""`blurscene-stream verify INPUT OUTPUT`: is OUTPUT what a run must have made of INPUT?"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from blurscene_stream.address import Address, parse_address
from blurscene_stream.cli.logs import printable
from blurscene_stream.cli.options import AREAS, COMMAND_SETTINGS, CONFIGURE, HIDE, KEEP, LOOK, TELL, begin, options
from blurscene_stream.cli.progress import ProgressBar
from blurscene_stream.cli.stopping import signals
from blurscene_stream.config.provenance import program, settings_sha256
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, UsageError, reason
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.output_paths import refuse_same
from blurscene_stream.sink import check_output_path, write_file
from blurscene_stream.verify import (
    EXIT_CODES,
    VERDICTS,
    Findings,
    Grade,
    VerifyJob,
    is_sheet,
    sheet_png,
    verify_video,
    worst,
)

log = logging.getLogger(__name__)

EPILOG = """\b
What is checked, a line each:
  frames    the same number of frames, at the same times, each showing its own picture
  stream    size, rotation, pixel aspect ratio, range, color tags, field order, HDR metadata
  metadata  nothing passes that is not allowed to: streams, tags, chapters, XMP, user data inside the video
  audio     every packet is that of INPUT; re-encoded audio is decoded and compared
  picture   outside the covered areas it is that of INPUT, but for codec noise
  cover     in them it is what redaction makes of INPUT
  residual  nothing that was covered can still be seen, whatever the settings say
  redetect  the detector runs on OUTPUT: other scales, mirrored, lower thresholds for what stays 3 frames

\b
Verdict and exit code:
  PASS    0  everything is as it must be
  FAIL    4  OUTPUT is not INPUT, redacted
  REVIEW  5  somebody must look: suspects are in the contact sheet, themselves covered

With --detections, what must be covered is what that file says: any difference is a FAIL. Without, it is detected again,
by the detector and the settings of a run. Then a box that the detector finds and OUTPUT shows is a FAIL; other
differences of picture and cover are for REVIEW, since boxes may differ on another machine or with other settings. Give
the settings of the run: margins, method, areas, and without --detections those of the detector too.

\b
Examples:
  blurscene-stream drive.mp4 out.mp4 --detections drive.jsonl
  blurscene-stream verify drive.mp4 out.mp4 --detections drive.jsonl
"""


@click.command("verify", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="OUTPUT", required=False)
@click.option("--detections", metavar="FILE", help="Detections file of the run: what was covered in each frame.")
@click.option("--sheet", metavar="PNG", help="Write the contact sheet of suspects here (default OUTPUT_suspects.png).")
@click.option("--json", "report", metavar="FILE", help="Also write a JSON report.")
@click.option("--every", type=click.IntRange(1), default=1, help="Run the detector on each N-th frame (default 1).")
@click.option("--no-redetect", is_flag=True, help="Do not run the detector on OUTPUT.")
@click.option(
    "--audio",
    type=click.Choice(["copy", "drop", "aac", "opus"]),
    default="copy",
    help="Setting of the run (default copy).",
)
@click.option("-y", "overwrite", is_flag=True, help="Replace the contact sheet and the report if they exist.")
@options(LOOK, HIDE, AREAS, KEEP, CONFIGURE, TELL)
def verify_command(
    source: str | None,
    target: str | None,
    detections: str | None,
    sheet: str | None,
    report: str | None,
    every: int,
    no_redetect: bool,
    audio: str,
    overwrite: bool,
    **given: Any,
) -> int:
    """Verify that OUTPUT is INPUT, redacted: PASS, FAIL or REVIEW.

    Both are video files. Nothing but the contact sheet and the report is written.
    """
    settings, bar = begin(given)
    if source is None or target is None:
        raise click.UsageError(f"{'INPUT' if source is None else 'OUTPUT'} is missing")
    one, other = parse_address(source), parse_address(target)
    for address in (one, other):
        if address.live or address.piped:
            raise UsageError(f"{address}: what is not a file cannot be verified, its pictures are gone")
    beside = Address(sheet or str(other.path.with_name(f"{other.path.stem}_suspects.png")))
    read = {"input": one, "output": other} | ({"file of detections": Address(detections)} if detections else {})
    replacing = overwrite or (sheet is None and is_sheet(beside.path))
    if sheet or not no_redetect:
        _refuse_conflicts(beside, "sheet", read, replacing)
    if report:
        _refuse_conflicts(Address(report), "report", read | {"sheet": beside}, overwrite)
    stop_token = StopToken()
    with signals(stop_token, "nothing was proved"), stop_token.reraise_swallowed():
        with closing(ProgressBar(bar)) as progress:
            job = VerifyJob(
                source=one,
                target=other,
                settings=settings,
                detections=None if detections is None else Path(detections),
                audio_dropped=audio == "drop",
                every=0 if no_redetect else every,
                stop_token=stop_token,
                progress=progress.reach,
            )
            findings = verify_video(job)
        grade = _print_findings(findings, job)
        try:
            with stop_token.defer():
                written = None if no_redetect else _write_sheet(findings, beside.path, settings, replacing)
                if report:
                    write_file(Path(report), _json_report(job, findings, written), overwrite)
        finally:  # the verdict is printed, whatever becomes of the files
            click.echo(VERDICTS[grade])
    return EXIT_CODES[grade]


def _refuse_conflicts(file: Address, what: str, others: Mapping[str, Address], overwrite: bool) -> None:
    """Refuse a file that cannot be written, or must not: `others`, by what they are, stay as they are.

    Raises UsageError.
    """
    if file.live:
        raise UsageError(f"{file}: the {what} is a file")
    for name, other in others.items():
        refuse_same(other, file, f"{name} and {what}")
    check_output_path(file.path, overwrite)


def _other_settings(file: Path, settings: Settings) -> bool:
    """Return True when a detections file, which was read by now, names other settings."""
    with file.open("rb") as lines:
        recorded = json.loads(lines.readline()).get("settings_sha256")
    return recorded is not None and recorded != settings_sha256(settings)


def _print_findings(findings: Findings, job: VerifyJob) -> Grade:
    grade = worst(findings.checks)
    for check in findings.checks:
        for line in check.lines():
            click.echo(printable(line))
    if grade is Grade.fail and job.detections and _other_settings(job.detections, job.settings):
        warning = f"{job.detections}: was written with other settings; those of the run are needed, see --config"
        log.warning("%s", warning)
    return grade


def _write_sheet(findings: Findings, sheet: Path, settings: Settings, overwrite: bool) -> Path | None:
    """Write the contact sheet if there are suspects; else remove one that an earlier run of verify has written."""
    if findings.suspects:
        write_file(sheet, sheet_png(findings.suspects, settings), overwrite)
        click.echo(printable(f"suspects are shown in {sheet}"))
        return sheet
    if overwrite and is_sheet(sheet):
        try:
            sheet.unlink()
        except OSError as error:
            raise SinkError(f"{sheet}: is of an earlier check and cannot be removed: {reason(error)}") from error
        click.echo(printable(f"{sheet} was of an earlier check, and is removed"))
    return None


def _json_report(job: VerifyJob, findings: Findings, sheet: Path | None) -> bytes:
    content: Mapping[str, object] = {
        "format": "blurscene-stream verification",
        "format_version": 1,
        "program": program(),
        "settings_sha256": settings_sha256(job.settings),
        "input": str(job.source),
        "output": str(job.target),
        "detections": job.detections and str(job.detections),
        "verdict": VERDICTS[worst(findings.checks)],
        "checks": [check.as_dict() for check in findings.checks],
        "suspects": [one.as_dict() for one in findings.suspects],
        "sheet": sheet and str(sheet),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
