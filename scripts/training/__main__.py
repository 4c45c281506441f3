"""The command line of training: `python -m scripts.training COMMAND --help`.

Only the command that is named is imported: `train` on shards does with PyTorch, OpenCV, Pillow, click and PyYAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
import torch

from blurscene_stream.errors import BlurSceneError
from scripts.training.snapshots import SnapshotError

MODULES: Mapping[str, tuple[str, ...]] = {
    "data_commands": ("fetch", "label", "pack", "hard", "shards"),
    "train_command": ("train",),
    "weights_commands": ("evaluate", "calibrate", "move", "mean", "export", "quantize", "release"),
}
"""Module -> its commands, in the order in which one needs them."""


class _Group(click.Group):
    """Imports commands by their names; turns the product's errors, and a repository that is gone, into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click calls it so
        return [name for names in MODULES.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for module, names in MODULES.items():
            if cmd_name in names:
                command: click.Command = getattr(import_module(f"scripts.training.{module}"), cmd_name)
                return command
        return None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BlurSceneError, SnapshotError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
def main() -> None:
    """Train face_plate_v2, from fetching pictures to writing the network in int8; see docs/training.md."""


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    main()
