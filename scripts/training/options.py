"""What the commands of training share: types of their arguments, and options."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
MAP = click.option("--map", "maps", multiple=True, metavar="NAME=CLASS", help="As in blurscene-stream evaluate.")
HARD = click.option(
    "--hard", "hard_file", type=FILE, help="What `hard` wrote: these pictures are drawn more often in training."
)
FACES = click.option(
    "--faces",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Draw those with faces so much more often.",
)
