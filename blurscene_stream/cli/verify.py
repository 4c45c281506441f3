"""`blurscene-stream verify` and `blurscene-stream audit verify`: are a video, and an audit log, what they should be?"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.address import Address, parse_address
from blurscene_stream.atomic_file import write_file
from blurscene_stream.cli.console import stop_on_signals
from blurscene_stream.cli.options import (
    AREA_OPTIONS,
    COMMAND_SETTINGS,
    CONFIG_OPTIONS,
    DETECT_OPTIONS,
    KEEP_OPTIONS,
    LOG_OPTIONS,
    REDACT_OPTIONS,
    options,
    prepare,
)
from blurscene_stream.config.schema import AudioMode, Settings
from blurscene_stream.errors import VERIFY_FAIL_EXIT_CODE, SinkError, UsageError, reason
from blurscene_stream.log_lines import printable
from blurscene_stream.own_files import SHEET, VERIFICATION
from blurscene_stream.paths import check_report_path, check_video_input

if TYPE_CHECKING:
    from blurscene_stream.verify import Findings, Grade, VerifyJob

log = logging.getLogger(__name__)

VERIFY_EPILOG = """\b
What is checked, a line each:
  frames    the same number of frames, at the same times, each showing its own picture
  stream    size, rotation, pixel aspect ratio, range, color tags, field order, HDR metadata
  bytes     every byte of the file is a picture that is shown, audio, or a structure that our muxers write
  metadata  nothing passes that is not allowed to: streams, tags, chapters, XMP, user data inside the video
  audio     every packet is that of INPUT; re-encoded audio is decoded and compared
  picture   outside the covered areas it is that of INPUT, but for codec noise
  cover     in them it is what redaction makes of INPUT
  residual  nothing that was covered can still be seen or shines through, whatever the settings say
  redetect  the detector runs on OUTPUT, at other scales: what is sure, or lasts for 8 frames, is for REVIEW

\b
Verdict and exit code:
  PASS    0  everything is as it must be; weak findings that do not last are counted
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

AUDIT_EPILOG = """\b
FILE was written by blurscene-stream INPUT OUTPUT --audit FILE. Each of its lines holds a checksum of itself and that
of the line before. Note the last one elsewhere: --known then tells a FILE that was made anew or whose end was cut off.

\b
The names of files are those that the run was given. One that is not a whole path is looked up in the working folder,
then in that of FILE.

\b
Exit codes: 0 as it was written, 4 not so, or with --files one of the files is not, 1 FILE cannot be read.
"""


@click.command("verify", epilog=VERIFY_EPILOG, **COMMAND_SETTINGS)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="OUTPUT", required=False)
@click.option("--detections", metavar="FILE", help="Detections file of the run: what was covered in each frame.")
@click.option("--sheet", metavar="PNG", help="Write the contact sheet of suspects here (default OUTPUT_suspects.png).")
@click.option("--json", "report", metavar="FILE", help="Also write a JSON report.")
@click.option("--every", type=click.IntRange(1), default=1, help="Run the detector on each N-th frame (default 1).")
@click.option("--no-redetect", is_flag=True, help="Do not run the detector on OUTPUT.")
@click.option(
    "--audio",
    type=click.Choice([mode.name for mode in AudioMode]),
    default="copy",
    help="Value of --audio in the run (default copy).",
)
@click.option("-y", "overwrite", is_flag=True, help="Replace a contact sheet and a report of an earlier check.")
@options(DETECT_OPTIONS, REDACT_OPTIONS, AREA_OPTIONS, KEEP_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
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
    files, settings, make_progress = prepare(
        given, lambda: _check_files(source, target, detections, sheet, report, overwrite, not no_redetect)
    )
    from blurscene_stream.pipeline import StopToken  # noqa: PLC0415  # imports NumPy, PyAV, OpenCV, SciPy
    from blurscene_stream.verify import EXIT_CODES, VERDICTS, VerifyJob, verify_video  # noqa: PLC0415

    stop_token = StopToken()
    with stop_on_signals(stop_token, "nothing was proved"):
        with closing(make_progress()) as progress:
            job = VerifyJob(
                source=files.source,
                target=files.target,
                settings=settings,
                detections=None if detections is None else Path(detections),
                audio_dropped=audio == AudioMode.drop.name,
                every=0 if no_redetect else every,
                stop_token=stop_token,
                progress=progress.update,
            )
            findings = verify_video(job)
        grade = _print_findings(findings, job)
        try:
            with stop_token.defer():
                written = None if no_redetect else _write_sheet(findings, files.sheet, settings, files.replace_sheet)
                if report:
                    write_file(Path(report), _json_report(job, findings, written), overwrite)
        finally:  # the verdict is printed, whatever becomes of the files
            click.echo(VERDICTS[grade])
    return EXIT_CODES[grade]


@dataclass(frozen=True, slots=True)
class _Files:
    source: Address
    target: Address
    sheet: Path
    replace_sheet: bool


def _check_files(
    source: str | None,
    target: str | None,
    detections: str | None,
    sheet: str | None,
    report: str | None,
    overwrite: bool,
    redetect: bool,
) -> _Files:
    """Return the files of a verification; refuse inputs that are not there, and outputs that cannot be written.

    Raises click.UsageError, UsageError, SourceError.
    """
    if source is None or target is None:
        raise click.UsageError(f"{'INPUT' if source is None else 'OUTPUT'} is missing")
    inputs = [("input", parse_address(source)), ("output", parse_address(target))]
    for _, address in inputs:
        if not address.local:
            raise UsageError(f"{address}: what is not a file cannot be verified, its pictures are gone")
        check_video_input(address.path)
    here, there = (address for _, address in inputs)
    suspects = Address(sheet or str(there.path.with_name(f"{there.path.stem}_suspects.png")))
    inputs += [("file of detections", Address(detections))] if detections else []
    replace_sheet = overwrite or (sheet is None and SHEET.matches(suspects.path))
    if sheet or redetect:
        check_report_path(suspects, SHEET, inputs, replace_sheet)
    if report:
        check_report_path(Address(report), VERIFICATION, [*inputs, ("sheet", suspects)], overwrite)
    return _Files(here, there, suspects.path, replace_sheet)


def _other_settings(file: Path, settings: Settings) -> bool:
    """Return True when a detections file, which was read by now, names other settings."""
    from blurscene_stream.config.serialization import settings_sha256  # noqa: PLC0415  # imports Hydra

    with file.open("rb") as lines:
        recorded = json.loads(lines.readline()).get("settings_sha256")
    return recorded is not None and recorded != settings_sha256(settings)


def _print_findings(findings: Findings, job: VerifyJob) -> Grade:
    from blurscene_stream.verify import Grade, worst  # noqa: PLC0415

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
    from blurscene_stream.verify import sheet_png  # noqa: PLC0415

    if findings.suspects:
        write_file(sheet, sheet_png(findings.suspects, settings), overwrite)
        click.echo(printable(f"suspects are shown in {sheet}"))
        return sheet
    if overwrite and SHEET.matches(sheet):
        try:
            sheet.unlink()
        except OSError as error:
            raise SinkError(f"{sheet}: is of an earlier check and cannot be removed: {reason(error)}") from error
        click.echo(printable(f"{sheet} was of an earlier check, and is removed"))
    return None


def _json_report(job: VerifyJob, findings: Findings, sheet: Path | None) -> bytes:
    from blurscene_stream.config.serialization import program, settings_sha256  # noqa: PLC0415
    from blurscene_stream.verify import VERDICTS, worst  # noqa: PLC0415

    content: Mapping[str, object] = {
        "format": VERIFICATION.label,
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


@click.command("verify", epilog=AUDIT_EPILOG, **COMMAND_SETTINGS)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--known", metavar="SHA256", help="The checksum of an entry that must be there.")
@click.option("--files", is_flag=True, help="Also check that the files that it names are unchanged; reads all of them.")
def audit_verify_command(file: Path, known: str | None, files: bool) -> int:
    """Check that nothing in FILE was changed, removed, added or moved."""
    from blurscene_stream.audit import FileCheck, check_files, verify_log  # noqa: PLC0415  # imports Hydra

    entries, wrong = verify_log(file, known)
    changed = check_files(entries, file) if files else FileCheck(0, ())
    for line in (*wrong, *changed.changed):
        click.echo(printable(line))
    name = printable(str(file))
    if wrong:
        click.echo(f"FAIL: {name} is not as it was written")
        return VERIFY_FAIL_EXIT_CODE
    if changed.changed:
        click.echo(f"FAIL: {name} is as it was written; {len(changed.changed)} of its {changed.files} files are not")
        return VERIFY_FAIL_EXIT_CODE
    count = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}"
    click.echo(f"PASS: {name} is as it was written, {count}, the last is {entries[-1]['sha256']}")
    return 0


audit_command = click.Group(
    "audit",
    {"verify": audit_verify_command},
    help="Verify audit logs, which --audit FILE writes.",
    **COMMAND_SETTINGS,
)
