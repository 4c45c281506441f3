"""The time that a network's multiplications take at the rate of one large matrix product: a floor for the network."""

from __future__ import annotations

import time
from collections.abc import Iterable
from math import prod
from types import ModuleType

import numpy as np

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.backends.onnx_file import find_onnx, read_onnx

SIDE = 1536  # of the matrices: larger than any cache, 3.6 billion multiplications
SECONDS = 0.5  # to measure their product for


def multiplication_ms(model: ModelConfig, shapes: Iterable[tuple[int, ...]]) -> float | None:
    """Return the CPU time in ms of the convolutions of a network for inputs (B, 3, H, W), as float32 matrix products.

    None for a network that is not there as ONNX. Both are OpenVINO's: the same library, the same kernels.
    """
    if find_onnx(model) is None:
        return None
    content, per_ms = read_onnx(model), _multiplications_per_ms()
    counts: dict[tuple[int, ...], int] = {}
    total = 0
    for shape in shapes:
        counts[shape] = counts.get(shape) or shape[0] * _multiplications(content, shape)
        total += counts[shape]
    return total / per_ms


def _multiplications(content: bytes, shape: tuple[int, ...]) -> int:
    """Count the multiplications of a network's convolutions for one picture of an input (B, 3, H, W)."""
    network = _openvino().Core().read_model(content)
    network.reshape([1, *shape[1:]])
    count = 0
    for operation in network.get_ops():
        if operation.get_type_name() in ("Convolution", "GroupConvolution", "ConvolutionBackpropData"):
            given, weights, made = (tuple(port.get_shape()) for port in (*operation.inputs()[:2], operation.output(0)))
            backward = operation.get_type_name() == "ConvolutionBackpropData"
            # (out, in, h, w), or (groups, out, in, h, w): one output takes in * h * w multiplications
            count += prod(given) * prod(weights[1:]) if backward else prod(made) * prod(weights[-3:])
    return count


def _multiplications_per_ms() -> float:
    """Measure a product of two float32 matrices: multiplications by ms of CPU time."""
    openvino = _openvino()
    opset, kind = openvino.opset13, np.float32
    left = opset.parameter([SIDE, SIDE], kind)
    right = opset.constant(np.ones((SIDE, SIDE), kind))
    product = openvino.Model([opset.matmul(left, right, False, False)], [left])
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(product, "CPU", hints).create_infer_request()
    given = {0: np.ones((SIDE, SIDE), kind)}
    request.infer(given)
    start_s, cpu_s, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start_s < SECONDS:
        request.infer(given)
        done += 1
    return float(done) * SIDE**3 / (1000 * (time.process_time() - cpu_s))


def _openvino() -> ModuleType:
    """Import OpenVINO as the program does: without its telemetry."""
    import openvino  # noqa: PLC0415

    import blurscene_stream.detect.backends.openvino  # noqa: PLC0415, F401  # before openvino itself

    return openvino  # type: ignore[no-any-return]
