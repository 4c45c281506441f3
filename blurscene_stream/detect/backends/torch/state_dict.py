"""State dicts: weights of a torch network, read as tensors and nothing else, loaded layer by layer."""

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.weights import find_weights, read_verified
from blurscene_stream.errors import ConfigError

State = dict[str, Tensor]
_COUNTER = "num_batches_tracked"
_WAY_OUT = "give one written by torch.save(network.state_dict(), file)"


def read_weights(model: ModelConfig) -> State:
    """Read the tensors of `model` by name, on the CPU, floating-point ones as float32.

    Raises ConfigError when the file is missing, is not the one that `model.sha256` names, cannot be read or holds
    anything but tensors of finite numbers.
    """
    path = find_weights(model.weights)
    return _parse(read_verified(path, model.sha256, "model.sha256"), path.name)


def _parse(content: bytes, name: str) -> State:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch guesses aloud what a file may be that it does not know
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # its unpickler raises whatever it runs into
        raise ConfigError(f"{name}: not a file of tensors written by torch.save; {_WAY_OUT}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ConfigError(f"{name}: holds something else than named tensors; {_WAY_OUT}")
    if not all(isinstance(layer, str) and layer.isprintable() for layer in state):
        raise ConfigError(f"{name}: holds tensors whose names are no plain texts; {_WAY_OUT}")
    return {layer: _plain(value, layer, name) for layer, value in state.items()}


def _plain(value: Tensor, layer: str, name: str) -> Tensor:
    """The tensor as a dense one in main memory, floating-point ones as float32."""
    if value.layout is not torch.strided or value.is_meta or value.is_complex() or value.is_quantized:
        kind = f"{value.dtype}, {value.layout}, {value.device}"
        raise ConfigError(f"{name}: layer {layer} holds something else than plain real numbers ({kind}); {_WAY_OUT}")
    plain = value.float() if value.is_floating_point() else value
    if not bool(plain.isfinite().all()):
        raise ConfigError(f"{name}: layer {layer} holds numbers that are not finite; train or fetch the weights again")
    return plain


def fill_network(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load the tensors of `state` into `network`: every one, each of the right shape and kind of numbers.

    Two differences are ignored: parts that were compiled when they were saved bear `_orig_mod` in their names, and the
    counters of batch norms serve training alone.
    Raises ConfigError naming the first layer that does not fit; `name` is the file's in the message.
    """
    needed = network.state_dict()
    given = {layer.replace("_orig_mod.", ""): value for layer, value in state.items()}
    counters = {layer: torch.zeros((), dtype=torch.long) for layer in needed if layer.endswith(_COUNTER)}
    given = counters | {layer: value for layer, value in given.items() if not layer.endswith(_COUNTER)}
    for layer in sorted(needed.keys() | given.keys()):
        wanted, there = (_described(layer, state) for state in (needed, given))
        if wanted != there:
            raise ConfigError(
                f"{name}: layer {layer}: the network has {wanted}, the file {there}; "
                "model.network must describe the network that the weights are of"
            )
    network.load_state_dict(given, strict=True, assign=True)


def _described(layer: str, state: Mapping[str, Tensor]) -> str:
    """The shape of a layer, and that it holds whole numbers where it does."""
    if layer not in state:
        return "no such layer"
    value = state[layer]
    return f"{tuple(value.shape)}" if value.is_floating_point() else f"{tuple(value.shape)} of whole numbers"
