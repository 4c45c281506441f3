"""The command `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch

from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.device import choose_device
from scripts.training import export as exporting
from scripts.training import hard as reviewing
from scripts.training import manifest
from scripts.training import pack as packing
from scripts.training import train as training
from scripts.training.options import EXISTING, FILE
from scripts.training.store import Store, read_training_images


@click.command()
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.option("--out", type=FILE, required=True, help="The weights so far, and at the end; a whole file at any time.")
@click.option("--start", type=FILE, help="Weights to start from; without it, from nothing.")
@click.option("--hard", "hard_file", type=FILE, help="What `hard` wrote: these pictures are drawn more often.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True)
@click.option("--deadline", type=FILE, help="Holds the second of the epoch at which to end instead, once it is there.")
@click.option("--steps", type=click.IntRange(1), default=1_000_000, help="Stop earlier, after so many steps.")
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Crops of a batch.")
@click.option("--size", type=click.IntRange(64), default=640, show_default=True, help="Side of a crop in pixels.")
@click.option("--wide", type=click.IntRange(0), default=0, help="Side of the crops of every sixth batch, such as 960.")
@click.option("--learning-rate", type=float, default=1.2e-3, show_default=True)
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes that plan crops; one less than cores.")
@click.option(
    "--save-every", "report_every", type=click.IntRange(1), default=200, show_default=True, help="Steps, until the end."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def train(data: Path, out: Path, start: Path | None, hard_file: Path | None, device: str, **options: Any) -> None:
    """Train on PACKED/train, which has to fit into the memory of the device: 36 GiB for all sets."""
    try:
        config = training.TrainConfig(**options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    weights = {name: one.weight for name, one in manifest.read_sets().items()}
    folder = data / packing.TRAIN
    hardness = None if hard_file is None else reviewing.read(hard_file, folder)
    images = read_training_images(folder, weights, hardness)
    store = Store(images, torch.device(choose_device(device)))
    click.echo(f"{len(images)} pictures on {store.pixels.device}")
    network = FacePlateV2Network() if start is None else exporting.load_network(start)

    def report(progress: training.Progress, averaged: FacePlateV2Network) -> None:
        losses = f"face {progress.face:.3f}, plate {progress.license_plate:.3f}, boxes {progress.boxes:.3f}"
        click.echo(f"step {progress.step}, {progress.seconds:.0f} s: {losses}")
        exporting.export_weights(averaged.state_dict(), out)

    averaged = training.train(network, store, config, report)
    click.echo(f"{out}: sha256 {exporting.export_weights(averaged.state_dict(), out)}")
