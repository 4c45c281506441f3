"""`blurscene-stream inspect FILE`: what a file holds, and what of it would pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blurscene_stream.cli.logs import printable
from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIGURE, KEEP, TELL, begin, options
from blurscene_stream.config.keep import STREAMS
from blurscene_stream.source.inspect import Inventory, Part, Tag, inspect_file

EPILOG = """\b
Example:
  blurscene-stream inspect drive.mp4 --keep subtitles --keep-tag creation_time

The value of a tag may be the place where somebody lives: it is shown with --values only.
"""


@click.command("inspect", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("file", metavar="FILE", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--values", is_flag=True, help="Also show what the tags say.")
@options(KEEP, CONFIGURE, TELL)
def inspect_command(file: Path | None, as_json: bool, values: bool, **given: Any) -> int:
    """Print what FILE holds, and what of it would be kept or dropped; nothing is written to files.

    With the options for keeping, and the settings, of a run, it tells what that run would do.
    """
    settings, _ = begin(given)
    if file is None:
        raise click.UsageError("FILE is missing")
    found = inspect_file(file, settings)
    print(json.dumps(_tree(found, values)) if as_json else "\n".join(_table(found, values)))
    return 0


def _tree(found: Inventory, values: bool) -> dict[str, object]:
    tree = asdict(found)
    for owner in (tree, *tree["parts"]):
        owner["tags"] = [tag if values else {**tag, "value": None} for tag in owner["tags"]]
    return tree


def _table(found: Inventory, values: bool) -> Iterator[str]:
    yield f"{printable(found.name)}: {found.container}" + (f", {found.duration_s:.1f} s" if found.duration_s else "")
    for part in found.parts:
        yield f"  {part.index:<3} {part.kind:<11} {part.codec:<12} {printable(part.details):<24} {_fate(part)}".rstrip()
    if found.chapters:
        fate = "kept" if found.chapters_pass else "dropped  (--keep chapters)"
        yield f"  {'':<3} {'chapters':<11} {found.chapters:<12} {'':<24} {fate}"
    if found.boxes:
        yield f"  {'':<3} {'boxes':<11} {', '.join(found.boxes):<37} dropped"
    yield from _tag_lines("file", found.tags, values)
    for part in found.parts:
        yield from _tag_lines(f"stream {part.index}", part.tags, values)


def _fate(part: Part) -> str:
    if part.kind == "video" and part.passes:
        return "anonymized"
    way_out = f"  (--keep {part.kind})" if part.kind in STREAMS else ""
    way_out = f"  (--set source.video={part.index})" if part.kind == "video" else way_out
    return "kept" if part.passes else f"dropped{way_out}"


def _tag_lines(owner: str, tags: tuple[Tag, ...], values: bool) -> Iterator[str]:
    for tag in tags:
        value = f"  {printable(tag.value)}" if values else ""
        yield f"  tag of {owner:<10} {printable(tag.key):<32} {'kept' if tag.passes else 'dropped':<7}{value}".rstrip()
