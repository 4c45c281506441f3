"""Equalization: channels of one map brought to like ranges, so that eight bits serve each of them.

A map between two layers may be scaled channel by channel where the layers before it are scaled likewise and those
behind it inversely: ReLU, sums and maxima pass a positive factor on, and what the network calculates stays the same
(Nagel et al., Data-Free Quantization, 2019, section 4.1). In face_plate_v1, whose depthwise layers take no sums over
channels, one channel of some maps is ten times as large as most others.

https://arxiv.org/abs/1906.04721
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

Floats = NDArray[np.float32]

LAYERS = ("Conv", "ConvTranspose")
_PASSING = ("Relu", "Add", "MaxPool")
_MIN_SHARE = 1e-4  # of the largest range, for a channel that is never seen at work
_MIN_WEIGHT = 1e-3  # likewise for a channel that the layers behind hardly take


@dataclass(frozen=True, slots=True)
class Activations:
    """Values of a tensor on the calibration pictures, of each channel (C,): lowest, highest and mean."""

    low: Floats
    high: Floats
    mean: Floats

    @property
    def peak(self) -> Floats:
        """The largest magnitude of each channel."""
        return np.maximum(self.high, -self.low)

    def scaled(self, factors: Floats) -> Activations:
        """Return what they are once each channel is multiplied by its factor."""
        return Activations(self.low * factors, self.high * factors, self.mean * factors)


def equalize(model: Any, seen: Mapping[str, Activations]) -> dict[str, Activations]:
    """Equalize the channels of all maps that are `seen`, in place; return what is seen of them then.

    Only maps that lie between layers alone are touched: not the picture, and not what the network gives.
    """
    weights = {each.name: numpy_helper.to_array(each).copy() for each in model.graph.initializer}
    made = dict(seen)
    for group in _groups(model, weights):
        names = [name for name in seen if name in group.tensors]
        if names and group.before and group.behind:
            factors = _factors(np.stack([seen[name].peak for name in names]).max(axis=0), group.behind, weights)
            for layer in group.before:
                _scale_outputs(layer, weights, factors)
            for layer in group.behind:
                _scale_inputs(layer, weights, factors)
            made |= {name: seen[name].scaled(factors) for name in names}
    for each in model.graph.initializer:
        each.CopyFrom(numpy_helper.from_array(weights[each.name], each.name))
    return made


def is_depthwise(layer: Any, weights: Mapping[str, Floats]) -> bool:
    """Whether each channel has a filter of its own, and the layer takes no sums over channels."""
    kernel = weights[layer.input[1]]
    return bool(layer.op_type == "Conv" and kernel.shape[1] == 1 and kernel.shape[0] > 1)


@dataclass(frozen=True, slots=True)
class _Group:
    """Tensors whose channels can only be scaled together, and the layers that make and take them."""

    tensors: frozenset[str]
    before: Sequence[Any]
    behind: Sequence[Any]


def _groups(model: Any, weights: Mapping[str, Floats]) -> list[_Group]:
    """Return the groups of tensors that some layer takes, but for those that anything else makes or takes."""
    joined = _Joined()
    outside = {each.name for each in (*model.graph.input, *model.graph.output)}
    for node in model.graph.node:
        tensors = [name for name in (*node.input, *node.output) if name not in weights]
        if node.op_type in _PASSING:
            joined.join(tensors)
        elif node.op_type not in LAYERS:
            outside.update(tensors)
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    groups = [joined.with_it(name) for name in dict.fromkeys(joined.root(node.input[0]) for node in layers)]
    return [
        _Group(
            tensors,
            [node for node in layers if node.output[0] in tensors],
            [node for node in layers if node.input[0] in tensors],
        )
        for tensors in groups
        if not tensors & outside
    ]


class _Joined:
    """Sets of names that grow together."""

    def __init__(self) -> None:
        self._sets: dict[str, frozenset[str]] = {}

    def join(self, names: Iterable[str]) -> None:
        together = frozenset().union(*(self.with_it(name) for name in names))
        self._sets.update(dict.fromkeys(together, together))

    def with_it(self, name: str) -> frozenset[str]:
        return self._sets.get(name, frozenset({name}))

    def root(self, name: str) -> str:
        return min(self.with_it(name))


def _factors(peaks: Floats, behind: Sequence[Any], weights: Mapping[str, Floats]) -> Floats:
    """Return the factor of each channel of a map.

    Where only depthwise layers take it, all channels get one range. Others pay with their weights for what the map
    gains, for they have one scale for all that they sum up: both meet in the middle (Xiao et al., SmoothQuant, 2022,
    equation 4, with a strength of one half).
    """
    peaks = np.maximum(peaks, _MIN_SHARE * peaks.max())
    summing = [layer for layer in behind if not is_depthwise(layer, weights)]
    if not summing:
        return np.asarray(peaks.max() / peaks, np.float32)
    shares = np.stack([_input_shares(layer, weights) for layer in summing]).max(axis=0)
    factors = np.sqrt(np.maximum(shares, _MIN_WEIGHT * shares.max()) / peaks)
    return np.asarray(factors / np.exp(np.log(factors).mean()), np.float32)


def _input_shares(layer: Any, weights: Mapping[str, Floats]) -> Floats:
    """Return how large the weights of each input channel are, beside the largest of each output: root mean squares."""
    kernel = np.abs(weights[layer.input[1]]).max(axis=(2, 3))
    by_output = kernel if layer.op_type == "Conv" else kernel.T
    shares = by_output / np.maximum(by_output.max(axis=1, keepdims=True), np.float32(1e-9))
    return np.asarray(np.sqrt((shares**2).mean(axis=0)), np.float32)


def _scale_outputs(layer: Any, weights: dict[str, Floats], factors: Floats) -> None:
    kernel, axis = layer.input[1], 0 if layer.op_type == "Conv" else 1
    weights[kernel] = weights[kernel] * _along(factors, axis)
    if len(layer.input) > 2:  # it has a bias
        weights[layer.input[2]] = weights[layer.input[2]] * factors


def _scale_inputs(layer: Any, weights: dict[str, Floats], factors: Floats) -> None:
    by_channel = layer.op_type == "ConvTranspose" or is_depthwise(layer, weights)
    weights[layer.input[1]] = weights[layer.input[1]] / _along(factors, 0 if by_channel else 1)


def _along(factors: Floats, axis: int) -> Floats:
    """Return the factors for one axis of a kernel with four."""
    return factors.reshape([-1 if each == axis else 1 for each in range(4)])
