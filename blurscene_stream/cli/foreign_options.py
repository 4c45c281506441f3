"""Options by the names that deface and FFmpeg have for them: taken, or answered with ours; docs/usage.md lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from blurscene_stream.cli.options import Option

ANSWERS = {
    "--mosaicsize": "the cells follow the size of the box, so that nobody can be recognized; see --set redact.cells",
    "--replaceimg": "no picture is put over a face; use --replacewith mosaic, solid or blur",
    "--draw-scores": "scores are drawn by --preview, which is NOT anonymized",
    "-ss": "nothing is cut: one frame comes out for one that goes in; cut the result with ffmpeg -ss ... -c copy",
    "-to": "nothing is cut: one frame comes out for one that goes in; cut the result with ffmpeg -to ... -c copy",
}
"""Options that are not taken -> what to do instead."""
FLAGS = frozenset({"--draw-scores"})
AGREED = {
    "--boxes": "Whole boxes are covered anyway (deface).",
    "--keep-audio": "Audio is kept anyway (deface).",
}
"""Flags that ask for what is done anyway."""


def _refuse(_: click.Context, option: click.Parameter, value: object) -> None:
    name = option.opts[0]
    if value not in (None, False):
        raise click.UsageError(f"{name}: {ANSWERS[name]}")


def _refused(name: str) -> Option:
    flag: dict[str, Any] = {"is_flag": True} if name in FLAGS else {}
    return click.option(
        name, "refused_" + name.strip("-").replace("-", "_"), hidden=True, expose_value=False, callback=_refuse, **flag
    )


FOREIGN_OPTIONS: Sequence[Option] = (
    *(_refused(name) for name in ANSWERS),
    *(click.option(name, is_flag=True, hidden=True, expose_value=False, help=text) for name, text in AGREED.items()),
    click.option("--scale", metavar="WxH", hidden=True, help="--size by the longer of two sides (deface)."),
    click.option("-an", "no_audio", is_flag=True, hidden=True, help="--audio drop (FFmpeg)."),
    click.option("-c:a", "audio_codec", metavar="CODEC", hidden=True, help="--audio CODEC (FFmpeg)."),
)
"""Hidden options of the command for videos."""
