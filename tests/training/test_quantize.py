"""Quantization: a network in int8 answers as in float32, and holds nothing of the pictures but ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from blurscene_stream import load_settings
from blurscene_stream.detect.backends.onnx_file import INPUT, OUTPUT, check_onnx, read_onnx
from blurscene_stream.errors import BlurSceneError
from tests.detect.needs import need
from tests.detect.pictures import Picture, draw_scene

need("onnx", "onnxruntime")
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from blurscene_stream.detect.backends.onnxruntime import open_session  # noqa: E402
from scripts.training import quantize as quantizing  # noqa: E402
from scripts.training.equalize import Activations, equalize  # noqa: E402
from scripts.training.quantize import quantize  # noqa: E402
from scripts.training.rounding import round_weights  # noqa: E402

MODELS = ("face_plate_v1", "face_plate_v2")


def as_input(scene: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    padded = np.zeros((1, 192, 256, 3), np.uint8)
    padded[0, : scene.shape[0], : scene.shape[1]] = scene
    return np.ascontiguousarray(padded.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", MODELS)
def test_a_network_in_int8_answers_as_in_float32(name: str) -> None:
    model, picture = load_settings([f"model={name}"]).model, as_input(draw_scene())
    made = quantize(read_onnx(model), [picture, np.ascontiguousarray(picture[:, :, :, ::-1])])
    assert check_onnx(made, "made") == check_onnx(read_onnx(model), "full"), "its weights, and what it must give"
    answers = [open_session(content).run([OUTPUT], {INPUT: picture})[0] for content in (read_onnx(model), made)]
    near = answers[0][:, :, 0] > -2
    assert near.any() and np.abs(answers[1] - answers[0])[:, :, 0][near].mean() < 0.5
    assert len(made) < 0.75 * len(read_onnx(model))


@pytest.mark.parametrize(("name", "outputs"), [("face_plate_v1", 2), ("face_plate_v2", 1)])
def test_all_but_the_last_convolutions_are_in_int8(name: str, outputs: int) -> None:
    content = read_onnx(load_settings([f"model={name}"]).model)
    made = onnx.load_from_string(quantize(content, [as_input(draw_scene())]))
    kernels = {each.name: each.data_type for each in made.graph.initializer if len(each.dims) == 4}
    taken = [node.input[1] for node in made.graph.node if node.op_type == "Conv"]
    types = Counter(kernels[name] for name in taken if name in kernels)
    assert types == {onnx.TensorProto.FLOAT: outputs}


@pytest.mark.parametrize("name", MODELS)
def test_a_picture_is_taken_as_it_is(name: str) -> None:
    content, picture = read_onnx(load_settings([f"model={name}"]).model), as_input(draw_scene())
    made = onnx.load_from_string(quantize(content, [np.minimum(picture, 100)]))
    first = next(node for node in made.graph.node if node.op_type == "Conv")
    tensors = {each.name: numpy_helper.to_array(each) for each in made.graph.initializer}
    scale, zero = (tensors[first.input[0].removesuffix("dequantized") + what] for what in ("scale", "zero"))
    assert (scale, zero) == (np.float32(1 / 255), 0), "in steps of one level, so that nothing is rounded"


def test_a_margin_raises_the_logits_and_nothing_else() -> None:
    content, picture = read_onnx(load_settings([]).model), as_input(draw_scene())
    raised = onnx.load_from_string(content)
    quantizing.raise_logits(raised, 0.25)
    answers = [open_session(each).run([OUTPUT], {INPUT: picture})[0] for each in (content, raised.SerializeToString())]
    np.testing.assert_allclose(answers[1][:, :, 0], answers[0][:, :, 0] + 0.25, atol=1e-5)
    assert np.array_equal(answers[1][:, :, 1:], answers[0][:, :, 1:])


@pytest.mark.parametrize("name", MODELS)
def test_equalization_changes_ranges_and_nothing_that_the_network_calculates(name: str) -> None:
    content, picture = read_onnx(load_settings([f"model={name}"]).model), as_input(draw_scene())
    plain = quantizing._unpacked(onnx.load_from_string(content))
    tensors = list(dict.fromkeys(node.input[0] for node in quantizing._followed_convolutions(plain)))
    seen = quantizing._observe(plain, tensors, [picture])
    expected = equalize(plain, seen)
    found = quantizing._observe(plain, tensors, [picture])
    for tensor in tensors:
        np.testing.assert_allclose(found[tensor].high, expected[tensor].high, rtol=0.01, atol=0.01)
    answers = [open_session(each).run([OUTPUT], {INPUT: picture})[0] for each in (content, plain.SerializeToString())]
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-3)
    assert _mean_unevenness(expected) < 0.7 * _mean_unevenness(seen), "so that eight bits serve more of them"


def test_weights_are_rounded_by_what_that_changes_in_what_a_layer_gives() -> None:
    random = np.random.default_rng(3)
    inputs = random.normal(size=(500, 6)) @ random.normal(size=(6, 24)) + 0.1 * random.normal(size=(500, 24))
    kernel = random.normal(size=(16, 24, 1, 1)).astype(np.float32)
    steps = (np.abs(kernel).max(axis=(1, 2, 3)) / 7).astype(np.float32)
    moments = inputs.T @ inputs / len(inputs)

    def change(multiples: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> float:
        off = (multiples * steps[:, None, None, None] - kernel).reshape(16, 24)
        return float(((inputs @ off.T) ** 2).mean())

    nearest = np.round(kernel / steps[:, None, None, None]).astype(np.int8)
    rounded = round_weights(kernel, steps, moments)
    assert change(rounded) < 0.3 * change(nearest)
    assert np.abs(rounded).max() <= 127
    alone = round_weights(kernel[:, :9], steps, np.stack([np.eye(9)] * 16))  # independent inputs: nothing to make good
    assert (alone == nearest[:, :9]).all()


def _mean_unevenness(seen: Mapping[str, Activations]) -> float:
    """Mean over tensors of how much larger the largest channel is than the one in the middle, as a logarithm."""
    return float(np.mean([np.log(each.peak.max() / np.median(each.peak[each.peak > 0])) for each in seen.values()]))


def test_without_a_picture_there_is_nothing_to_calibrate_with() -> None:
    with pytest.raises(BlurSceneError, match="no picture to calibrate with"):
        quantize(read_onnx(load_settings([]).model), [])
