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
from blurscene_stream.source.inspection.inventory import Inventory, StreamEntry, TagEntry, inspect_file

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
    for owner in (tree, *tree["streams"]):
        owner["tags"] = [tag if values else {**tag, "value": None} for tag in owner["tags"]]
    return tree


def _table(found: Inventory, values: bool) -> Iterator[str]:
    yield f"{printable(found.name)}: {found.container}" + (f", {found.duration_s:.1f} s" if found.duration_s else "")
    for stream in found.streams:
        columns = f"  {stream.index:<3} {stream.type:<16} {stream.codec:<12} {printable(stream.details):<24}"
        yield f"{columns} {_fate(stream)}".rstrip()
    if found.chapters:
        fate = "kept" if found.chapters_kept else "dropped  (--keep chapters)"
        yield f"  {'':<3} {'chapters':<16} {found.chapters:<12} {'':<24} {fate}"
    if found.metadata_atoms:
        yield f"  {'':<3} {'atoms':<16} {', '.join(found.metadata_atoms):<37} dropped"
    yield from _tag_lines("file", found.tags, values)
    for stream in found.streams:
        yield from _tag_lines(f"stream {stream.index}", stream.tags, values)


def _fate(stream: StreamEntry) -> str:
    if stream.type == "video" and stream.kept:
        return "anonymized"
    way_out = f"  (--keep {stream.type})" if stream.type in STREAMS else ""
    way_out = f"  (--set source.video_stream={stream.index})" if stream.type == "video" else way_out
    return "kept" if stream.kept else f"dropped{way_out}"


def _tag_lines(owner: str, tags: tuple[TagEntry, ...], values: bool) -> Iterator[str]:
    for tag in tags:
        value = f"  {printable(tag.value)}" if values else ""
        yield f"  tag of {owner:<10} {printable(tag.key):<32} {'kept' if tag.kept else 'dropped':<7}{value}".rstrip()
