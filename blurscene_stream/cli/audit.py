"""`blurscene-stream audit verify FILE`: is an audit log still as it was written?"""

from __future__ import annotations

from pathlib import Path

import click

from blurscene_stream.audit import FileCheck, check_files, verify_log
from blurscene_stream.cli.logs import printable
from blurscene_stream.cli.options import COMMAND_SETTINGS
from blurscene_stream.verify import EXIT_CODES, Grade

EPILOG = """\b
FILE was written by blurscene-stream INPUT OUTPUT --audit FILE. Each of its lines holds a checksum of itself and that
of the line before. Note the last one elsewhere: --known then tells a FILE that was made anew or whose end was cut off.

\b
The names of files are those that the run was given. One that is not a whole path is looked up in the working folder,
then in that of FILE.

\b
Exit codes: 0 as it was written, 4 not so, or with --files one of the files is not, 1 FILE cannot be read.
"""


@click.command("verify", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--known", metavar="SHA256", help="The checksum of an entry that must be there.")
@click.option("--files", is_flag=True, help="Are the videos that it names still the same? Reads all of them.")
def verify_command(file: Path, known: str | None, files: bool) -> int:
    """Check that nothing in FILE was changed, removed, added or moved."""
    entries, wrong = verify_log(file, known)
    changed = check_files(entries, file) if files else FileCheck(0, ())
    for line in (*wrong, *changed.changed):
        click.echo(printable(line))
    name = printable(str(file))
    if wrong:
        click.echo(f"FAIL: {name} is not as it was written")
        return EXIT_CODES[Grade.fail]
    if changed.changed:
        click.echo(f"FAIL: {name} is as it was written; {len(changed.changed)} of its {changed.files} files are not")
        return EXIT_CODES[Grade.fail]
    count = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}"
    click.echo(f"PASS: {name} is as it was written, {count}, the last is {entries[-1]['sha256']}")
    return 0


audit_command = click.Group(
    "audit", {"verify": verify_command}, help="Look after audit logs, which --audit FILE writes.", **COMMAND_SETTINGS
)
