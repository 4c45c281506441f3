"""`blurscene-stream export MODEL OUT`: a built-in network as a file for other programs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from blurscene_stream.cli.options import COMMAND_SETTINGS, CONFIG_OPTIONS, LOG_OPTIONS, options, prepare
from blurscene_stream.errors import UsageError
from blurscene_stream.own_files import NETWORK
from blurscene_stream.paths import check_replaced

EPILOG = """\b
Examples:
  blurscene-stream export face_plate_v1 network.onnx
  blurscene-stream export face_plate_v2 network.xml
  blurscene-stream export face_plate_v2 mine.onnx --set model.weights=mine.pt --set model.sha256=null

Needs torch, onnx and onnxscript. The input is `images`, uint8 (B, 3, H, W), RGB; the output `maps`, float32
(B, 2, 5, H / 4, W / 4): for faces and licence plates the logit of the score, log height, log width, offset down and
right, in cells of 4 pixels. H and W are multiples of 32 for face_plate_v1, of 64 for face_plate_v2.
"""
_IR = {".xml": ".bin"}  # the file beside it that holds the weights


@click.command("export", epilog=EPILOG, **COMMAND_SETTINGS)
@click.argument("model", metavar="MODEL", required=False)
@click.argument("target", metavar="OUT", required=False, type=click.Path(path_type=Path))
@click.option("-y", "overwrite", is_flag=True, help="Replace the output if it exists and was made so.")
@options(CONFIG_OPTIONS, LOG_OPTIONS)
def export_command(model: str | None, target: Path | None, overwrite: bool, **given: Any) -> int:
    """Write the network of MODEL, a name such as face_plate_v1, to OUT: ONNX (.onnx) or OpenVINO IR (.xml and .bin)."""
    given["overrides"] = (f"model={model}", *given["overrides"]) if model else given["overrides"]
    file, settings, _ = prepare(given, lambda: _check_paths(model, target, overwrite))
    from blurscene_stream.atomic_file import write_file  # noqa: PLC0415
    from blurscene_stream.detect.backends.export import export_model  # noqa: PLC0415  # imports NumPy

    for suffix, content in export_model(settings.model, file.suffix).items():
        write_file(file.with_suffix(suffix), content, overwrite)
        click.echo(f"{file.with_suffix(suffix)}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


def _check_paths(model: str | None, target: Path | None, overwrite: bool) -> Path:
    if model is None or target is None:
        raise click.UsageError("MODEL is missing" if model is None else "OUT is missing")
    if target.suffix not in (".onnx", *_IR):
        raise UsageError(f"{target}: the ending must be .onnx or .xml")
    for suffix in filter(None, (target.suffix, _IR.get(target.suffix))):
        check_replaced(target.with_suffix(suffix), NETWORK, overwrite)
    return target
