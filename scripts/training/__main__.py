"""The command line of training: `python -m scripts.training COMMAND --help`."""

from __future__ import annotations

from typing import Any

import click
import torch

from blurscene_stream.errors import BlurSceneError
from scripts.training.data_commands import fetch, hard, label, pack, shards
from scripts.training.snapshots import SnapshotError
from scripts.training.train_command import train
from scripts.training.weights_commands import calibrate, evaluate, export, mean, quantize, release


class _Group(click.Group):
    """Turns the product's errors, and a repository that is gone, into one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BlurSceneError, SnapshotError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
def main() -> None:
    """Train face_plate_v2, from fetching pictures to writing the network in int8; see docs/training.md."""


for command in (fetch, label, pack, hard, shards, train, evaluate, calibrate, mean, export, quantize, release):
    main.add_command(command)


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    main()
