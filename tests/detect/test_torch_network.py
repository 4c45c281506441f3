"""The detector in torch: with every kind of convolution, and what goes wrong in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from blurscene_stream import load_settings
from blurscene_stream.config.schema import Backend, ClassConfig, ModelConfig, Precision, Settings
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect.backends.torch import torch_network
from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.errors import ConfigError, DetectionError, DeviceError
from tests.detect.pictures import Picture, frame_of
from tests.detect.test_detector import assert_same, settings


def network_of(detector: Detector) -> nn.Module:
    """The built-in network inside a detector that has it alone, in torch."""
    (model,) = detector._models
    assert isinstance(model, FacePlateModel)
    assert isinstance(model.network, TorchNetwork)
    return model.network.network


def test_bfloat16_and_the_plain_convolutions_find_the_same(
    detector: Detector, scene: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted,) = detector([frame_of(scene)])
    (short,) = load_detector(settings(backend=Backend.torch, precision=Precision.bf16))([frame_of(scene)])
    assert_same(short, wanted.xyxy, 0.95)
    monkeypatch.setattr(torch_network, "has_fused_conv_relu", lambda *_: False)
    (plain,) = load_detector(settings(backend=Backend.torch, precision=Precision.fp32))([frame_of(scene)])
    assert np.allclose(plain.xyxy, wanted.xyxy, atol=1e-2)


@pytest.mark.parametrize(
    ("model", "layer", "fused_relu"),
    [("v1", "face.heads.bias", True), ("v1", "plate.heads.weight", True), ("v1", "face.heads.bias", False),
     ("v1", "trunk.features.0.0.weight", False), ("v1", "trunk.features.17.conv.2.weight", False),
     ("v2", "out.bias", True), ("v2", "out.weight", True), ("v2", "out.bias", False),
     ("v2", "stem.0.0.weight", False), ("v2", "s64.3.b.0.weight", False)],
)  # fmt: skip
def test_a_network_gone_wrong_is_an_error(
    scene: Picture, model: str, layer: str, fused_relu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fused_relu:
        monkeypatch.setattr(torch_network, "has_fused_conv_relu", lambda *_: False)
    config = replace(settings(backend=Backend.torch), model=load_settings([f"model=face_plate_{model}"]).model)
    detect = load_detector(config)
    with torch.inference_mode():
        network_of(detect).state_dict()[layer].fill_(float("nan"))
    with pytest.raises(DetectionError, match="not finite"):
        detect([frame_of(scene)])


def test_an_error_of_torch_is_one_line_with_a_way_out(scene: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector(settings(backend=Backend.torch))

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried 9 GiB\nmore")

    monkeypatch.setattr(network_of(detector), "forward", fail)
    with pytest.raises(DetectionError, match=r"2 x 256x192 px on cpu.*out of memory.*batch_size") as failed:
        detector([frame_of(scene), frame_of(scene)])
    assert "\n" not in str(failed.value)


def test_what_cannot_be_loaded_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="--device cpu"):
        load_detector(Settings(device="cuda"))
    v1 = load_settings(["model=face_plate_v1"]).model
    with pytest.raises(ConfigError, match=r"layer plate\."):
        load_detector(
            replace(settings(backend=Backend.torch), model=replace(v1, network={**v1.network, "plate_width": 16}))
        )
    three = ModelConfig(classes=["face", "license_plate", "dog"], margins=None)
    with pytest.raises(ConfigError, match=r"model\.classes.*2"):
        load_detector(Settings(device="cpu", model=three, classes={name: ClassConfig() for name in three.classes}))


def test_threads_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    load_detector(settings(backend=Backend.torch, threads=3))
    load_detector(settings(backend=Backend.torch, threads=0))
    assert asked == [3]
