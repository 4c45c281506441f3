"""Post-training quantization: a network in int8, as ONNX with QuantizeLinear and DequantizeLinear (QDQ).

Weights are int8 with a scale for each output channel, symmetric; activations uint8 with one scale for each tensor,
whose range is the widest that the calibration pictures show, once its channels are equalized (equalize.py). A picture
is in 8 bits already, and loses nothing. The last convolutions, to the logits, stay in float32: their range is wide,
and they would make half of the error. What a convolution takes is quantized once, and a sum beside it takes the
quantized values too, so that a map is kept in 8 bits. Weights are rounded by what that changes (rounding.py), and
biases are corrected by the mean of it (Nagel et al., Data-Free Quantization, 2019, section 4.2). They stay in
float32, for OpenVINO 2026.4 gets int32 ones in front of a sum wrong.

https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from blurscene_stream.config.schema import DetectConfig
from blurscene_stream.detect.backends.network import MULTIPLES, VALUES, Pictures
from blurscene_stream.detect.backends.onnx_file import INPUT, OUTPUT
from blurscene_stream.detect.backends.onnxruntime import open_session
from blurscene_stream.detect.letterbox import letterbox_top_left
from blurscene_stream.detect.preprocessor import Preprocessor, Sample
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.pipeline.image_files import read_image
from scripts.training.equalize import LAYERS, Activations, Floats, equalize, is_depthwise
from scripts.training.rounding import LIMIT, Moments, round_weights, second_moments

SCALES = (1.0, 0.25, 0.17)  # at which calibration pictures are shown: those of the detector
LEVELS = 255  # the highest one
_REDUCTIONS = ("ReduceMin", "ReduceMax", "ReduceMean")
_UNRAISED = "maps_unraised"
_TAKES_QUANTIZED = {"Add", "Resize", "MaxPool", "Concat"}


def calibration_pictures(folder: Path, count: int, target: str) -> Iterator[Pictures]:
    """Yield `count` pictures spread over those in a folder, as the network with that `_target_` is shown them.

    Files that are no pictures are passed over.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in files[:: max(1, len(files) // count)]:
        try:
            frame = read_image(file).frames()[0]
        except BlurSceneError:
            continue
        config = DetectConfig()
        for scale in SCALES:
            view = letterbox_top_left(frame.picture, config.size_px, config.max_upscale, scale, MULTIPLES[target])
            yield Preprocessor().batch([Sample(frame, view, 0)])


def quantize(content: bytes, pictures: Iterable[Pictures], logit_margin: float = 0.0) -> bytes:
    """Quantize a network, as `blurscene-stream export` writes it, by what it calculates on `pictures`.

    logit_margin: what is added to all logits: as much as rounding changes them, so that it takes no object away that
                  scores just above the threshold
    """
    model = in_shares(_unpacked(onnx.load_from_string(content)))
    convolutions = _followed_convolutions(model)
    names, shown = {node.name for node in convolutions}, list(pictures)
    tensors = list(dict.fromkeys(node.input[0] for node in convolutions))
    seen = equalize(model, _observe(model, tensors, shown))
    seen[tensors[0]] = replace(seen[tensors[0]], low=np.zeros(3, np.float32), high=np.ones(3, np.float32))  # all levels
    weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    moments = second_moments(model, convolutions, weights, shown)
    scales = {name: _add_scale(model, name, each) for name, each in seen.items()}
    nodes = []
    for node in model.graph.node:
        if node.name in names:
            nodes.append(_quantize_weights(model, node, weights, seen[node.input[0]], moments[node.name]))
        if node.name in names or node.op_type in _TAKES_QUANTIZED:
            node.input[:] = [f"{name}.dequantized" if name in scales else name for name in node.input]
        nodes += [node, *(each for name in node.output if name in scales for each in scales[name])]
    _replace(model, nodes)
    if logit_margin:
        raise_logits(model, logit_margin)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def in_shares(model: Any) -> Any:
    """Let the first convolution take the picture's levels as shares of 255, as that of face_plate_v2 does.

    A picture whose scale is 1 OpenVINO 2026.4 takes for one without, and calculates its convolution in float32.
    """
    cast = next(node for node in model.graph.node if node.op_type == "Cast" and INPUT in node.input)
    takers = [node for node in model.graph.node if cast.output[0] in node.input]
    if [node.op_type for node in takers] == ["Conv"]:
        (first,) = takers
        for each in model.graph.initializer:
            if each.name == first.input[1]:
                kernel = numpy_helper.to_array(each) * np.float32(LEVELS)
                each.CopyFrom(numpy_helper.from_array(kernel, each.name))
        model.graph.initializer.append(numpy_helper.from_array(np.float32(LEVELS), "levels"))
        first.input[0] = "shares"
        place = list(model.graph.node).index(cast) + 1
        model.graph.node.insert(place, helper.make_node("Div", [cast.output[0], "levels"], ["shares"]))
    return model


def raise_logits(model: Any, margin: float) -> None:
    """Add `margin` to the logits, the first of the values of each cell."""
    values = np.zeros((1, 1, VALUES, 1, 1), np.float32)
    values[:, :, 0] = margin
    model.graph.initializer.append(numpy_helper.from_array(values, "logit_margin"))
    for node in model.graph.node:
        node.output[:] = [_UNRAISED if name == OUTPUT else name for name in node.output]
    model.graph.node.append(helper.make_node("Add", [_UNRAISED, "logit_margin"], [OUTPUT]))


def _followed_convolutions(model: Any) -> list[Any]:
    """Return the convolutions but for those that no other follows."""
    followed: set[str] = set()
    found = []
    for node in reversed(model.graph.node):
        if node.op_type == "Conv" and followed.intersection(node.output):
            found.append(node)
        if node.op_type in LAYERS or followed.intersection(node.output):
            followed.update(node.input)
    return found[::-1]


def _unpacked(model: Any) -> Any:
    """Store weights in float32, without the casts from float16."""
    weights = {each.name: each for each in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in weights:
            stored = weights[node.input[0]]
            stored.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float32), node.output[0]))
        else:
            nodes.append(node)
    _replace(model, nodes)
    return model


def _replace(model: Any, nodes: Sequence[Any]) -> None:
    """Make `nodes` those of the model, and drop the weights that none of them takes."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    taken = {name for node in copies for name in node.input}
    weights = [onnx.TensorProto.FromString(each.SerializeToString()) for each in model.graph.initializer]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(copies)
    model.graph.initializer.extend(each for each in weights if each.name in taken)


def _observe(model: Any, tensors: Sequence[str], pictures: Iterable[Pictures]) -> Mapping[str, Activations]:
    """Run the network on pictures, and watch some of its tensors."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3]), "axes"))
    outputs = [(tensor, reduction, f"{tensor}.{reduction}") for tensor in tensors for reduction in _REDUCTIONS]
    for tensor, reduction, name in outputs:
        watched.graph.node.append(helper.make_node(reduction, [tensor, "axes"], [name], keepdims=0))
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(watched.SerializeToString())
    names = [name for _, _, name in outputs]
    rows = [session.run(names, {INPUT: np.ascontiguousarray(picture)}) for picture in pictures]
    if not rows:
        raise BlurSceneError("there is no picture to calibrate with")
    columns = [np.stack(column) for column in zip(*rows, strict=True)]  # (pictures, C) each
    return {
        tensor: Activations(*(np.asarray(values, np.float32) for values in (low.min(0), high.max(0), mean.mean(0))))
        for tensor, low, high, mean in zip(tensors, columns[0::3], columns[1::3], columns[2::3], strict=True)
    }


def _add_scale(model: Any, name: str, seen: Activations) -> list[Any]:
    """Add scale and zero point of a tensor to the weights; return the nodes that quantize it and give it back."""
    low, high = min(float(seen.low.min()), 0.0), max(float(seen.high.max()), 0.0)
    scale = np.float32((high - low) / 255 or 1.0)
    zero = np.uint8(round(-low / float(scale)))
    for what, value in (("scale", scale), ("zero", zero)):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"{name}.{what}"))
    parameters = [f"{name}.scale", f"{name}.zero"]
    return [
        helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}.quantized"]),
        helper.make_node("DequantizeLinear", [f"{name}.quantized", *parameters], [f"{name}.dequantized"]),
    ]


def _quantize_weights(model: Any, node: Any, weights: Mapping[str, Floats], seen: Activations, moments: Moments) -> Any:
    """Give a convolution weights in int8 and a corrected bias; return the node that gives the weights back."""
    kernel, bias = weights[node.input[1]], weights[node.input[2]]
    scale = np.maximum(np.abs(kernel).max(axis=(1, 2, 3)) / LIMIT, np.float32(1e-8)).astype(np.float32)
    rounded = round_weights(kernel, scale, moments)
    change = (rounded * scale[:, None, None, None] - kernel).sum(axis=(2, 3))
    made = {"kernel": rounded, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
    shift = change[:, 0] * seen.mean if is_depthwise(node, weights) else change @ seen.mean
    made["bias"] = (bias - shift).astype(np.float32)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, f"{node.name}.{what}") for what, value in made.items()
    )
    node.input[1], node.input[2] = f"{node.name}.dequantized", f"{node.name}.bias"
    taken = [f"{node.name}.{what}" for what in ("kernel", "scale", "zero")]
    return helper.make_node("DequantizeLinear", taken, [node.input[1]], axis=0)
