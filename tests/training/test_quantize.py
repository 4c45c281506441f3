"""Quantization: a network in int8 answers as in float32, and holds nothing of the pictures but ranges."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from blurscene_stream import load_settings
from blurscene_stream.detect.backends.onnx_file import INPUT, OUTPUT, check_onnx, origin, read_onnx
from blurscene_stream.errors import BlurSceneError
from tests.detect.needs import need
from tests.detect.pictures import Picture, draw_scene

need("onnx", "onnxruntime")
import onnx  # noqa: E402

from blurscene_stream.detect.backends.onnxruntime import open_session  # noqa: E402
from scripts.training.quantize import quantize  # noqa: E402

MODELS = ("face_plate_v1", "face_plate_v2")


def as_input(scene: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    padded = np.zeros((1, 192, 256, 3), np.uint8)
    padded[0, : scene.shape[0], : scene.shape[1]] = scene
    return np.ascontiguousarray(padded.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", MODELS)
def test_a_network_in_int8_answers_as_in_float32(name: str) -> None:
    model, picture = load_settings([f"model={name}"]).model, as_input(draw_scene())
    made = quantize(read_onnx(model), [picture, np.ascontiguousarray(picture[:, :, :, ::-1])])
    assert check_onnx(made, "made") == origin(model), "it names the weights that it was made of"
    answers = [open_session(content).run([OUTPUT], {INPUT: picture})[0] for content in (read_onnx(model), made)]
    near = answers[0][:, :, 0] > -2
    assert near.any() and np.abs(answers[1] - answers[0])[:, :, 0][near].mean() < 0.5
    assert len(made) < 0.75 * len(read_onnx(model))


def test_all_but_the_first_and_the_last_convolutions_are_in_int8() -> None:
    content = read_onnx(load_settings(["model=face_plate_v2"]).model)
    made = onnx.load_from_string(quantize(content, [as_input(draw_scene())]))
    kinds = Counter(node.op_type for node in made.graph.node)
    types = Counter(each.data_type for each in made.graph.initializer if len(each.dims) == 4)
    assert types == {onnx.TensorProto.INT8: kinds["Conv"] - 2, onnx.TensorProto.FLOAT: 2}


def test_without_a_picture_there_is_nothing_to_calibrate_with() -> None:
    with pytest.raises(BlurSceneError, match="no picture to calibrate with"):
        quantize(read_onnx(load_settings([]).model), [])
