"""Export of trained weights: the state dict that the product loads, and an ONNX file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from blurscene_stream.atomic_file import write_file
from blurscene_stream.config.schema import BUILT_IN_V2, ModelConfig
from blurscene_stream.detect.backends.export import export_model
from blurscene_stream.detect.backends.onnx_file import SUFFIX
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights


def read_state(file: Path) -> dict[str, Tensor]:
    """Read a state dict as the product does: tensors of finite numbers and nothing else, in float32.

    Raises ConfigError.
    """
    return dict(read_weights(ModelConfig(weights=str(file), sha256=None)))


def load_network(file: Path) -> FacePlateV2Network:
    """Load a network of the default shape, not fused. Raises ConfigError when `file` holds another one."""
    network = FacePlateV2Network()
    fill_network(network, read_state(file), file.name)
    return network


def mean_weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """Return the mean of the weights in `files`, of pieces of training of which one began where another ended.

    It is not calibrated: its scores are not theirs, so neither's calibration would be right.
    Raises ConfigError for a file that holds another network.
    """
    states = [load_network(file).state_dict() for file in files]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    return {**mean, "calibration": FacePlateV2Network().calibration}


def export_weights(state: Mapping[str, Tensor], file: Path) -> str:
    """Write `state` in float16, which halves the file and costs no accuracy; return the file's SHA-256.

    A file of this name always is a complete one, however often it is written anew. Raises SinkError.
    """
    halved = {name: (each.half() if each.is_floating_point() else each).cpu() for name, each in state.items()}
    buffer = io.BytesIO()
    torch.save({name: each.contiguous() for name, each in halved.items()}, buffer)
    write_file(file, buffer.getvalue(), overwrite=True)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def export_to_onnx(file: Path, out: Path) -> None:
    """Write weights as ONNX, as `blurscene-stream export` does. Raises ConfigError, SinkError."""
    model = ModelConfig(weights=str(file), sha256=None, network={"_target_": BUILT_IN_V2})
    write_file(out, export_model(model, SUFFIX)[SUFFIX], overwrite=True)
