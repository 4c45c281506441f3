"""The command `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch

from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.device import choose_device
from scripts.training import export as exporting
from scripts.training import train as training
from scripts.training.arrivals import Arrivals
from scripts.training.options import EXISTING, FACES, FILE, HARD
from scripts.training.shards import INDEX, Shard, read_index
from scripts.training.store import Store, filled_store


@click.command()
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.option("--out", type=FILE, required=True, help="The weights so far, and at the end; a whole file at any time.")
@click.option("--start", type=FILE, help="Weights to start from; without it, from nothing.")
@HARD
@FACES
@click.option("--first-shards", type=click.IntRange(1), default=1, show_default=True, help="Begin with so many.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True)
@click.option("--deadline", type=FILE, help="Holds the second of the epoch at which to end instead, once it is there.")
@click.option("--steps", type=click.IntRange(1), default=1_000_000, help="Stop earlier, after so many steps.")
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Crops of a batch.")
@click.option("--size", type=click.IntRange(64), default=640, show_default=True, help="Side of a crop in pixels.")
@click.option("--wide", type=click.IntRange(0), default=0, help="Side of the crops of every sixth batch, such as 960.")
@click.option("--learning-rate", type=float, default=1.2e-3, show_default=True)
@click.option("--warm-up", type=click.IntRange(1), default=400, show_default=True, help="Steps over which it rises.")
@click.option(
    "--average", type=click.FloatRange(0, 1), default=0.9996, show_default=True, help="Share that stays at each step."
)
@click.option("--face-loss", type=float, default=1.0, show_default=True, help="Weight of faces' scores in the loss.")
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes that plan crops; one less than cores.")
@click.option(
    "--save-every", "report_every", type=click.IntRange(1), default=200, show_default=True, help="Steps, until the end."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def train(data: Path, out: Path, start: Path | None, device: str, **options: Any) -> None:
    """Train on PACKED/train, which has to fit into the memory of the device: 36 GiB for all sets.

    PACKED may be a folder of shards as well. Those that are not there yet are taken in when they come.
    """
    hard, faces, first_shards = (options.pop(name) for name in ("hard_file", "faces", "first_shards"))
    sharded, place = (data / INDEX).is_file(), torch.device(choose_device(device))
    if sharded and (hard is not None or faces != 1):
        raise click.UsageError("--hard and --faces are for `shards`: how often a picture is drawn is in their index")
    try:
        config = training.TrainConfig(**options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    network = FacePlateV2Network() if start is None else exporting.load_network(start)
    store, shards = _sharded(data, place) if sharded else _packed(data, hard, faces, place)
    arrivals = Arrivals(store, shards, first_shards, lambda shard: _tell(shard, store))

    def report(progress: training.Progress, averaged: FacePlateV2Network) -> None:
        exporting.export_weights(averaged.state_dict(), out)
        losses = f"face {progress.face:.3f}, plate {progress.license_plate:.3f}, boxes {progress.boxes:.3f}"
        click.echo(f"step {progress.step}, {progress.seconds:.0f} s: {losses}")
        arrivals.check()

    averaged = training.train(network, store, config, report, arrivals)
    click.echo(f"{out}: sha256 {exporting.export_weights(averaged.state_dict(), out)}")
    arrivals.check()


def _packed(data: Path, hard: Path | None, faces: float, device: torch.device) -> tuple[Store, list[Shard]]:
    """A store of pictures that lie in files, and no shards. Raises SourceError."""
    from scripts.training.data_commands import images_of  # noqa: PLC0415  shards are trained on without PyAV

    store = filled_store(images_of(data, hard, faces), device)
    click.echo(f"{len(store.images)} pictures on {device}")
    return store, []


def _sharded(data: Path, device: torch.device) -> tuple[Store, list[Shard]]:
    """An empty store for shards. Raises SourceError."""
    shards = read_index(data)
    return Store([shard.images for shard in shards], device), shards


def _tell(shard: Shard, store: Store) -> None:
    there = f"{int(store.filled.sum())} of {len(store.filled)} shards on {store.pixels.device}"
    click.echo(f"{shard.file.name}: {len(shard.images)} pictures, {there}")
