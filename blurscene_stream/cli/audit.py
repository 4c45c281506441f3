"""`blurscene-stream audit verify FILE`: is an audit log still as it was written?"""

from __future__ import annotations

from pathlib import Path

import click

from blurscene_stream.cli.logs import printable
from blurscene_stream.cli.options import COMMAND_SETTINGS
from blurscene_stream.pipeline.audit import changed_files, verify
from blurscene_stream.verify import EXIT_CODES, Grade

EPILOG = """\b
FILE was written by blurscene-stream INPUT OUTPUT --audit FILE. Each of its lines holds a checksum of itself and that
of the line before. Note the last one elsewhere: --known then tells a FILE that was made anew or whose end was cut off.

\b
Exit codes: 0 as it was written, 4 not so, 1 FILE cannot be read.
"""


@click.command("verify", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--known", metavar="SHA256", help="The checksum of an entry that must be there.")
@click.option("--files", is_flag=True, help="Are the videos that it names still the same? Reads all of them.")
def verify_command(file: Path, known: str | None, files: bool) -> int:
    """Check that nothing in FILE was changed, removed, added or moved."""
    entries, wrong = verify(file, known)
    if files:
        wrong += changed_files(entries)
    for line in wrong:
        click.echo(printable(line))
    if wrong:
        click.echo(f"FAIL: {printable(str(file))} is not as it was written")
        return EXIT_CODES[Grade.fail]
    count = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}"
    click.echo(f"PASS: {printable(str(file))} is as it was written, {count}, the last is {entries[-1]['sha256']}")
    return 0


audit_command = click.Group(
    "audit", {"verify": verify_command}, help="Look after audit logs, which --audit FILE writes.", **COMMAND_SETTINGS
)
