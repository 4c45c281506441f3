"""`blurscene-stream inspect FILE`: streams, tags and atoms of a file, and what of them would be copied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIG_OPTIONS, KEEP_OPTIONS, LOG_OPTIONS, options, prepare
from blurscene_stream.config.schema import KEEPABLE_STREAMS
from blurscene_stream.log_lines import printable
from blurscene_stream.paths import check_video_input

if TYPE_CHECKING:
    from blurscene_stream.source.inspection.inventory import Inventory, StreamEntry, TagEntry

EPILOG = """\b
Example:
  blurscene-stream inspect drive.mp4 --keep subtitles --keep-tag creation_time

The value of a tag may be the place where somebody lives: it is shown with --values only.
"""


@click.command("inspect", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("file", metavar="FILE", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--values", is_flag=True, help="Also print the values of the tags.")
@options(KEEP_OPTIONS, CONFIG_OPTIONS, LOG_OPTIONS)
def inspect_command(file: Path | None, as_json: bool, values: bool, **given: Any) -> int:
    """Print the streams, chapters, atoms and tags of FILE, and which of them a run would keep. No file is written.

    Give the run's settings and options for keeping.
    """

    def check() -> Path:
        if file is None:
            raise click.UsageError("FILE is missing")
        check_video_input(file)
        return file

    path, settings, _ = prepare(given, check)
    from blurscene_stream.source.inspection.inventory import inspect_file  # noqa: PLC0415  # imports NumPy, PyAV

    found = inspect_file(path, settings)
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
    way_out = f"  (--keep {stream.type})" if stream.type in KEEPABLE_STREAMS else ""
    way_out = f"  (--set source.video_stream={stream.index})" if stream.type == "video" else way_out
    return "kept" if stream.kept else f"dropped{way_out}"


def _tag_lines(owner: str, tags: tuple[TagEntry, ...], values: bool) -> Iterator[str]:
    for tag in tags:
        value = f"  {printable(tag.value)}" if values else ""
        yield f"  tag of {owner:<10} {printable(tag.key):<32} {'kept' if tag.kept else 'dropped':<7}{value}".rstrip()
