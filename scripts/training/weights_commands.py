"""The commands for weights that are trained: `evaluate`, `calibrate`, `move`, `mean`, `export`, and so on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from blurscene_stream import load_settings
from blurscene_stream.atomic_file import write_file
from blurscene_stream.config.schema import ClassConfig
from blurscene_stream.detect.backends.export import export_model
from blurscene_stream.detect.backends.onnx_file import SUFFIX
from blurscene_stream.evaluate import can_plot, plot_png
from blurscene_stream.evaluate.image_results import MIN_SCORE
from scripts.training import calibrate as calibration
from scripts.training import evaluate as evaluation
from scripts.training import export as exporting
from scripts.training import release as releasing
from scripts.training.options import EXISTING, FILE, FOLDER, MAP
from scripts.training.training_images import mapping_of

PROJECT = Path(__file__).parents[2]
_SCORE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
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
    for dataset, results, device in evaluation.evaluate(datasets, settings, mapping_of(lists["maps"])):
        name = Path(dataset.name).name
        rows += [(name, label, each) for label, each in results.classes.items() if each.images]
        if plots is not None and any(each.images for each in results.classes.values()):
            plots.mkdir(parents=True, exist_ok=True)
            drawn = plot_png(evaluation.image_report(dataset, results, settings, device))
            (plots / f"{name}.png").write_bytes(drawn)
    click.echo(evaluation.table(rows))


@click.command()
@click.argument("weights", type=FILE)
@click.argument("dataset", type=EXISTING)
@click.option("--out", type=FILE, required=True)
@MAP
def calibrate(weights: Path, dataset: Path, out: Path, maps: tuple[str, ...]) -> None:
    """Write WEIGHTS such that a score is the share of boxes that are right, fitted on a held-out DATASET."""
    settings, fitted = evaluation.settings_for(weights, MIN_SCORE), list[tuple[float, float]]()
    everything = [results for _, results, _ in evaluation.evaluate([dataset], settings, mapping_of(maps))]
    for name in settings.model.classes:
        boxes = calibration.concatenate([calibration.scored_boxes(each.classes[name]) for each in everything])
        scale, bias = calibration.fit_platt(boxes)
        fitted.append((scale, bias))
        errors = [calibration.expected_calibration_error(each) for each in (boxes, boxes.calibrated(scale, bias))]
        click.echo(f"{name}: scale {scale:.3f}, bias {bias:.3f}, calibration error {errors[0]:.4f} -> {errors[1]:.4f}")
    state = calibration.with_calibration(exporting.read_state(weights), fitted)
    click.echo(f"{out}: sha256 {exporting.export_weights(state, out)}")


@click.command()
@click.argument("weights", type=FILE)
@click.argument("scores", metavar="SCORE...", nargs=-1, required=True, type=_SCORE)
@click.option("--out", type=FILE, required=True)
def move(weights: Path, scores: tuple[float, ...], out: Path) -> None:
    """Write WEIGHTS with other scores: what had SCORE, one for each class, has the default threshold.

    So one threshold means the same for all networks, whatever share of their boxes is right there.
    """
    classes = load_settings([]).model.classes
    if len(scores) != len(classes):
        raise click.UsageError(f"give a SCORE for each of {', '.join(classes)}")
    fitted = [calibration.moved(ClassConfig().threshold, score) for score in scores]
    state = calibration.with_calibration(exporting.read_state(weights), fitted)
    click.echo(f"{out}: sha256 {exporting.export_weights(state, out)}")


@click.command()
@click.argument("pieces", metavar="WEIGHTS...", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FILE, required=True)
def mean(pieces: tuple[Path, ...], out: Path) -> None:
    """Write the mean of the WEIGHTS of several pieces of training, each of which began where another ended.

    Its scores are not calibrated; `calibrate` it.
    """
    click.echo(f"{out}: sha256 {exporting.export_weights(exporting.mean_weights(pieces), out)}, not calibrated")


@click.command()
@click.argument("weights", type=FILE)
@click.option("--out", type=FILE, required=True)
def export(weights: Path, out: Path) -> None:
    """Write WEIGHTS as ONNX."""
    exporting.export_to_onnx(weights, out)
    click.echo(f"{out}: {out.stat().st_size:,} bytes")


@click.command()
@click.argument("weights", type=FILE)
@click.argument("pictures", type=EXISTING)
@click.option("--out", type=FILE, required=True, help="NAME_int8.onnx beside NAME.pt, where the detector looks for it.")
@click.option("--count", type=click.IntRange(1), default=120, show_default=True, help="Pictures to calibrate with.")
@click.option(
    "--logit-margin",
    type=float,
    default=0.0,
    show_default=True,
    help="Added to all logits: 0 for face_plate_v2, 0.05 for face_plate_v1.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="model=face_plate_v1 for its weights.")
def quantize(  # noqa: PLR0913, PLR0917
    weights: Path, pictures: Path, out: Path, count: int, logit_margin: float, overrides: tuple[str, ...]
) -> None:
    """Write WEIGHTS as ONNX in int8, calibrated on a folder of PICTURES; none of them is in the file."""
    from scripts.training import quantize as quantizing  # noqa: PLC0415  needs onnx and onnxruntime

    model = evaluation.settings_for(weights, MIN_SCORE, overrides).model
    shown = quantizing.calibration_pictures(pictures, count, model.network["_target_"])
    made = quantizing.quantize(export_model(model, SUFFIX)[SUFFIX], shown, logit_margin)
    write_file(out, made, overwrite=True)
    click.echo(f"{out}: sha256 {hashlib.sha256(made).hexdigest()}")


@click.command()
@click.argument("weights", type=FILE)
@click.argument("int8", type=EXISTING)
def release(weights: Path, int8: Path) -> None:
    """Put WEIGHTS and INT8, what `quantize` made of them, in the place of those of this project.

    That is three files in weights/, their checksums, and the values that a test expects.
    """
    releasing.release(weights, int8, PROJECT)
    named = ", ".join(map(str, (releasing.SETTINGS, releasing.TEST, *releasing.NAMING)))
    click.echo(f"written: weights/{releasing.NAME}.*, {named}")
    for scale, bias in exporting.read_state(weights)["calibration"].tolist():
        click.echo(f"calibration, for {releasing.CARD}: scale {scale:.3f}, bias {bias:.3f}")
