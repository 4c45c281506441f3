"""Rounding of weights one after the other, each error made good by the weights that are still to come (GPTQ).

Weights that are rounded each for itself make errors that add up in what a layer gives. Here they are rounded so that
the mean square of the change of that is small on the calibration pictures (Frantar et al., GPTQ, 2022, algorithm 1).

https://arxiv.org/abs/2210.17323
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from blurscene_stream.detect.backends.network import Pictures
from blurscene_stream.detect.backends.onnx_file import INPUT
from blurscene_stream.detect.backends.onnxruntime import open_session
from scripts.training.equalize import Floats, is_depthwise

Moments = NDArray[np.float64]
"""Mean of x times x transposed, x being what a filter sums up at a place: (n, n); (C, n, n) for a depthwise layer."""

LIMIT = 127  # int8 is used from -127 to 127
_PLACES = 256  # of a map that are looked at in each picture
_DAMPING = 0.01  # share of the mean of the diagonal that is added to it


def second_moments(
    model: Any, layers: Sequence[Any], weights: Mapping[str, Floats], pictures: Iterable[Pictures]
) -> dict[str, Moments]:
    """Return the moments of the input of each convolution in `layers`, by its name, from places drawn at random."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    tensors = list(dict.fromkeys(layer.input[0] for layer in layers))
    watched.graph.output.extend(helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in tensors)
    session, random = open_session(watched.SerializeToString()), np.random.default_rng(0)
    sums, count = dict[str, Moments](), 0
    for picture in pictures:
        values = session.run(tensors, {INPUT: np.ascontiguousarray(picture)})
        maps = dict(zip(tensors, values, strict=True))
        for layer in layers:
            columns = _columns(maps[layer.input[0]][0], layer, weights[layer.input[1]].shape, random)
            if not is_depthwise(layer, weights):
                columns = columns.reshape(-1, _PLACES)
            sums[layer.name] = sums.get(layer.name, 0) + (columns @ columns.swapaxes(-1, -2)).astype(np.float64)
        count += _PLACES
    return {name: total / count for name, total in sums.items()}


def _columns(values: Floats, layer: Any, shape: Sequence[int], random: np.random.Generator) -> Floats:
    """Return what the filter of a convolution sees of a map (C, H, W) at random places: (C, rows x columns, places)."""
    attributes = {each.name: list(each.ints) for each in layer.attribute}
    rows, columns = shape[2:]
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    down, across = attributes.get("strides", [1, 1])
    padded = np.pad(values, ((0, 0), (top, bottom), (left, right)))
    y = random.integers(0, (padded.shape[1] - rows) // down + 1, _PLACES) * down
    x = random.integers(0, (padded.shape[2] - columns) // across + 1, _PLACES) * across
    return np.stack([padded[:, y + row, x + column] for row in range(rows) for column in range(columns)], axis=1)


def round_weights(kernel: Floats, steps: Floats, moments: Moments) -> NDArray[np.int8]:
    """Round a kernel (O, I, rows, columns) to multiples of `steps` (O,); return the multiples."""
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    mean = np.trace(moments, axis1=-2, axis2=-1)[..., None, None] / rows.shape[1]
    damped = moments + (_DAMPING * mean + 1e-12) * np.eye(rows.shape[1])
    upper = np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(-1, -2)
    rounded = np.empty(rows.shape, np.int8)
    for index in range(rows.shape[1]):
        rounded[:, index] = np.clip(np.round(rows[:, index] / steps), -LIMIT, LIMIT)
        rest = np.atleast_2d(upper[..., index, index:])  # one for all rows, or one for each
        error = (rows[:, index] - rounded[:, index] * steps) / rest[:, 0]
        rows[:, index:] -= error[:, None] * rest
    return rounded.reshape(kernel.shape)
