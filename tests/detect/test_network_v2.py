"""face_plate_v2: its network gives the numbers that it gave when it was trained, and is chosen like any other model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from blurscene_stream import load_settings
from blurscene_stream.boxes import iou
from blurscene_stream.config.schema import (
    BUILT_IN_V2,
    Backend,
    DetectConfig,
    ModelConfig,
    Precision,
    Settings,
    VariantsConfig,
)
from blurscene_stream.detect import load_detector
from blurscene_stream.detect.backends.torch.layers import has_fused_conv_relu
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights
from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork, load_built_in
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from tests.detect.pictures import FACE, PLATE, WIDTH, Picture, frame_of

CPU = torch.device("cpu")

# Row, column and the ten numbers there: face, plate; written by the program that trained it, with calibrated logits.
CELLS = (
    (17, 41, [4.0747, 2.4867, 2.2821, -0.4915, -0.3073], [-6.064, 2.3385, 2.3747, -0.3797, -0.3014]),
    (23, 16, [-9.9482, 1.4217, 2.0391, 0.2257, -0.2602], [3.8217, 1.0279, 2.1026, 0.0792, -0.2915]),
    (0, 0, [-14.8226, 1.5189, 1.237, -0.0272, -0.086], [-12.1271, 0.9035, 1.1853, -0.0266, 0.0721]),
    (47, 63, [-15.0326, 1.5331, 1.2999, 0.3002, -0.208], [-14.6023, 0.9628, 1.1529, 0.4763, -0.0637]),
    (20, 28, [-14.0533, 2.7852, 2.9138, -0.805, -0.6912], [-10.6714, 2.5799, 2.9879, -0.8988, -0.6752]),
)


@pytest.fixture(scope="module")
def model() -> ModelConfig:
    return load_settings(["model=face_plate_v2"]).model


def build(model: ModelConfig, fused_relu: bool = False) -> FacePlateV2Network:
    network = FacePlateV2Network()
    fill_network(network, read_weights(model), model.weights)
    return network.fuse(fused_relu)


def as_input(picture: Picture) -> Tensor:
    """(1, 3, H, W), padded with zeros at the bottom and the right to multiples of 64."""
    height, width = (-(-side // 64) * 64 for side in picture.shape[:2])
    padded = np.zeros((1, height, width, 3), np.float32)
    padded[0, : picture.shape[0], : picture.shape[1]] = picture
    return torch.from_numpy(padded).permute(0, 3, 1, 2)


def test_the_output_is_that_of_the_network_that_was_trained(scene: Picture, model: ModelConfig) -> None:
    maps = build(model)(as_input(scene))
    assert maps.shape == (1, 2, 5, 48, 64)
    for row, column, face, plate in CELLS:
        assert np.allclose(maps[0, :, :, row, column], [face, plate], atol=1e-2)  # weights are in 16 bits


def test_fusing_changes_nothing_but_the_scores(scene: Picture, model: ModelConfig) -> None:
    network, picture = FacePlateV2Network(), as_input(scene)
    fill_network(network, read_weights(model), model.weights)
    with torch.no_grad():
        maps = network.eval()(picture)
    scale, bias = network.calibration.unbind(1)
    maps[:, :, 0] = maps[:, :, 0] * scale[:, None, None] + bias[:, None, None]
    for fused_relu in {False, has_fused_conv_relu(CPU, torch.float32)}:
        assert torch.allclose(build(model, fused_relu)(picture), maps, atol=1e-3)


def test_it_is_chosen_by_name_and_finds_face_and_plate(scene: Picture) -> None:
    found = load_detector(
        load_settings(
            [
                *("model=face_plate_v2", "device=cpu", "track.enabled=false"),
                *(f"detect.size_px={2 * WIDTH}", "detect.precision=fp32", "detect.variants.scales=[1]"),
            ]
        )
    )([frame_of(scene)])[0]
    for class_id, truth in enumerate((FACE, PLATE)):
        mine = found[found.class_ids == class_id]
        assert iou(mine.xyxy[:1], np.array([truth], np.float32))[0, 0] > 0.5


def test_its_input_has_sides_of_multiples_of_64(model: ModelConfig) -> None:
    config = DetectConfig(size_px=1280, precision=Precision.fp32, variants=VariantsConfig())
    built = FacePlateModel(model, TorchNetwork(model, "cpu", config), config)
    view = built.letterbox(PictureInfo(1920, 1080, PIXEL_FORMATS["yuv420p"]), 0.25)
    assert (view.width, view.height, view.content_height) == (320, 192, 180)


def test_arguments_are_refused(model: ModelConfig) -> None:
    wider = replace(model, network={"_target_": BUILT_IN_V2, "neck": 96})
    with pytest.raises(ConfigError, match=r"model\.network: that of face_plate_v2 takes no arguments, got neck"):
        load_detector(Settings(device="cpu", model=wider, detect=DetectConfig(backend=Backend.torch)))


def test_a_network_whose_weights_are_read_makes_no_random_ones(
    model: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the meta device that would import torch's compiler, which takes longer than all of the rest."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("random numbers")

    monkeypatch.setattr(torch.nn.init, "normal_", refuse)
    load_built_in(model)
    with pytest.raises(AssertionError, match="random numbers"):
        FacePlateV2Network()
