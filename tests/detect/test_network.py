"""The network of face_plate_v1: our own code gives the numbers that the weights were trained for."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from blurscene_stream import load_settings
from blurscene_stream.detect.backends.torch import network as network_module
from blurscene_stream.detect.backends.torch.layers import DepthwiseConv2d, has_fused_conv_relu
from blurscene_stream.detect.backends.torch.network import FacePlateNetwork
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights
from blurscene_stream.detect.face_plate import decode_boxes
from tests.detect.pictures import Picture

CPU = torch.device("cpu")
MODEL = load_settings(["model=face_plate_v1"]).model

# Row, column and the ten numbers there: face, plate; written by this network, which equalled the reference until the
# scene was drawn in whole numbers: a few of its levels changed by one, and nothing else.
CELLS = (
    (23, 16, [-5.3056, 2.6757, 2.5453, 0.0935, -0.0139], [0.744, 1.1189, 2.1889, -0.0577, -0.3704]),
    (15, 41, [0.8581, 2.5739, 2.2819, 0.1835, -0.1641], [-3.6863, 2.4112, 2.4817, 0.3338, -0.1125]),
    (0, 0, [-6.5107, 2.778, 2.5694, -0.0245, -0.0211], [-5.8027, 1.5543, 2.0262, 0.0843, -0.0923]),
    (39, 55, [-6.1787, 2.1234, 1.5837, -0.2506, -0.0944], [-5.945, 1.7199, 2.1324, -0.6072, -1.3225]),
    (20, 28, [-5.9633, 2.4802, 2.2596, -0.0178, 0.0012], [-6.1553, 1.4864, 1.8034, 0.0184, -0.3689]),
)
MEANS = ([-5.95559, 2.56785, 2.34517, -0.0009, -0.00691], [-5.96045, 1.38991, 1.88695, 0.01902, -0.00462])


def build(fused_relu: bool, dtype: torch.dtype = torch.float32) -> FacePlateNetwork:
    network = FacePlateNetwork()
    fill_network(network, read_weights(MODEL), MODEL.weights)
    network.fuse(fused_relu).to(dtype=dtype)
    return network


def as_input(picture: Picture) -> Tensor:
    """(1, 3, H, W), padded with zeros at the bottom and the right to multiples of 32."""
    height, width = (-(-side // 32) * 32 for side in picture.shape[:2])
    padded = np.zeros((1, height, width, 3), np.float32)
    padded[0, : picture.shape[0], : picture.shape[1]] = picture
    return torch.from_numpy(padded).permute(0, 3, 1, 2)


@pytest.mark.parametrize("fused_relu", [False, True])
def test_the_output_is_that_of_the_day_it_equalled_the_reference(scene: Picture, fused_relu: bool) -> None:
    if fused_relu and not has_fused_conv_relu(CPU, torch.float32):
        pytest.skip("this torch has no convolution with a fused relu")
    maps = build(fused_relu)(as_input(scene))
    assert maps.shape == (1, 2, 5, 40, 56)
    assert np.allclose(maps.mean((0, 3, 4)), MEANS, atol=1e-3)
    for row, column, face, plate in CELLS:
        assert np.allclose(maps[0, :, :, row, column], [face, plate], atol=1e-3)


def test_the_output_is_that_of_the_reference_network(shared: Path) -> None:
    spec = importlib.util.spec_from_file_location("reference_network", shared / "model" / "reference_network.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reference = module.Detector().eval()
    reference.load_state_dict(read_weights(MODEL))
    bgr = cv2.imread(str(shared / "data" / "faces_photos" / "images" / "dlib_000.jpg"))
    assert bgr is not None
    picture = as_input(np.asarray(bgr[..., ::-1], np.uint8))
    with torch.inference_mode():
        heat, boxes = reference(picture)
        maps = build(has_fused_conv_relu(CPU, torch.float32))(picture)
    assert torch.allclose(maps[:, :, 0], heat, atol=1e-3)
    rows, columns = (side.flatten() for side in torch.meshgrid(*map(torch.arange, heat.shape[2:]), indexing="ij"))
    for label in (0, 1):
        ours = decode_boxes(maps[0, label, 1:].flatten(1).T, rows, columns, torch)
        assert torch.allclose(ours, boxes[0, label].flatten(1).T, atol=1e-2)  # pixels, of boxes of up to 500


@pytest.mark.parametrize("shape", [(288, 96), (32, 320), (352, 64), (32, 32)])
def test_tiled_execution_changes_nothing(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    picture = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(1)) * 255
    network = build(False)
    whole = network(picture)
    monkeypatch.setattr(network_module, "_TILE_BYTES", 1)
    assert network._rows(picture) == 32
    assert torch.allclose(network(picture), whole, atol=1e-4)


def test_pictures_of_a_batch_do_not_touch_each_other(scene: Picture) -> None:
    picture = as_input(scene)
    both = build(False)(torch.cat([picture, picture.flip(3)]))
    assert torch.allclose(both[:1], build(False)(picture), atol=1e-4)


def test_bfloat16_is_close(scene: Picture) -> None:
    picture = as_input(scene)
    network = build(has_fused_conv_relu(CPU, torch.bfloat16), torch.bfloat16)
    difference = (network(picture.bfloat16()).float() - build(False)(picture)).abs()
    assert difference[:, :, 0].mean() < 0.05
    assert difference[:, :, 1:3].mean() < 0.05


def test_depthwise_layers_do_without_cudnn() -> None:
    """cuDNN takes seconds to plan them for each new shape; each of them is one that goes without it on a GPU."""
    network = build(False)
    grouped = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1]
    assert grouped and all(isinstance(layer, DepthwiseConv2d) for layer in grouped)
    layer = DepthwiseConv2d(4, 4, 3, padding=1, groups=4).requires_grad_(False)
    x = torch.linspace(-1, 1, layer.in_channels * 64).reshape(1, layer.in_channels, 8, 8)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(layer.without_cudnn, [x] * 200))
    assert torch.backends.cudnn.enabled
    assert all(torch.equal(each, layer(x)) for each in made)
