"""Reads the weights of a network: tensors and nothing else, and of the file that the settings mean."""

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.resources import shipped

State = dict[str, Tensor]
_COUNTER = "num_batches_tracked"


def find_weights(name: str) -> Path:
    """The file `name`: a path, or a file among the weights that come with the package.

    Raises ConfigError when there is no such file.
    """
    for path in (Path(name), shipped("weights") / name):
        if path.is_file():
            return path
    raise ConfigError(f"model.weights: there is no file {name}, neither as a path nor in the folder weights")


def read_weights(model: ModelConfig) -> State:
    """The tensors of `model` by name, on the CPU, floating-point ones as float32.

    Raises ConfigError when the file is missing or is not the one that `model.sha256` names,
    DetectionError when it cannot be read or holds anything but tensors of finite numbers.
    """
    path = find_weights(model.weights)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path.name}: the weights cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if model.sha256 is not None and found != model.sha256:
        raise ConfigError(
            f"{path.name}: the sha256 of these weights begins with {found[:12]}, expected {model.sha256[:12]}; "
            "fetch the file again, or set model.sha256 if it is meant to be another one (null: any)"
        )
    return _parse(content, path.name)


def _parse(content: bytes, name: str) -> State:
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DetectionError(f"{name}: not a file of tensors written by torch.save") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DetectionError(f"{name}: holds something else than named tensors")
    for layer, value in state.items():
        if not bool(value.isfinite().all()):
            raise DetectionError(f"{name}: layer {layer} holds numbers that are not finite")
    return {layer: value.float() if value.is_floating_point() else value for layer, value in state.items()}


def fill_network(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Give `network` the tensors of `state`: every one of them, and each of the right shape.

    Two differences are none: parts that were compiled when they were saved bear `_orig_mod` in their names, and the
    counters of batch norms serve training alone.
    Raises ConfigError naming the first layer that does not fit; `name` is the file's in the message.
    """
    needed = network.state_dict()
    given = {layer.replace("_orig_mod.", ""): value for layer, value in state.items()}
    counters = {layer: value for layer, value in needed.items() if layer.endswith(_COUNTER)}
    given = counters | {layer: given[layer] for layer in given if layer in needed or not layer.endswith(_COUNTER)}
    for layer in sorted(needed.keys() | given.keys()):
        wanted = tuple(needed[layer].shape) if layer in needed else "no such layer"
        there = tuple(given[layer].shape) if layer in given else "no such layer"
        if wanted != there:
            raise ConfigError(
                f"{name}: layer {layer}: the network has {wanted}, the file {there}; "
                "model.network must describe the network that the weights are of"
            )
    network.load_state_dict(given, strict=True, assign=True)
