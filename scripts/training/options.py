"""What the commands of training share: types of their arguments, and class names that are called otherwise."""

from __future__ import annotations

from pathlib import Path

import click

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import ClassMapping

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
MAP = click.option("--map", "maps", multiple=True, metavar="NAME=CLASS", help="As in blurscene-stream evaluate.")


def mapping_of(maps: tuple[str, ...]) -> ClassMapping:
    """Return what the classes of a data set are called here."""
    return ClassMapping(Settings().model.classes, maps)
