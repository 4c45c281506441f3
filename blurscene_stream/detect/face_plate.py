"""The built-in models: their networks, fused, and CenterNet-style decoding of the heat maps that these give.

An object is a local maximum of its class's heat map (Objects as Points, Zhou et al., 2019); the cell there also holds
the box's size and the offset of its centre.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from blurscene_stream.config.schema import BUILT_IN_V2, DetectConfig, ModelConfig
from blurscene_stream.detect.device import choose_dtype, describe
from blurscene_stream.detect.layers import has_fused_conv_relu
from blurscene_stream.detect.letterbox import Letterbox, letterbox_top_left
from blurscene_stream.detect.model import Candidates
from blurscene_stream.detect.nan_guard import check_finite
from blurscene_stream.detect.network import CLASS_COUNT, STRIDE, FacePlateNetwork
from blurscene_stream.detect.network_v2 import FacePlateV2Network
from blurscene_stream.detect.weights import fill_network, read_weights
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import PictureInfo

_MIN_LOG_SIZE, _MAX_LOG_SIZE = -3.0, 6.5  # as the network was trained: 0.2 to 2,660 network pixels


class FacePlateModel:
    """`Model` with a built-in network."""

    pad_rgb = (0, 0, 0)

    def __init__(self, model: ModelConfig, device: torch.device, config: DetectConfig) -> None:
        """Raise ConfigError when the weights are not there, or network, weights and classes do not fit together."""
        self.classes = tuple(model.classes)
        self._device = device
        self._dtype = choose_dtype(config.precision, device)
        self._config = config
        self.network = _build(model, device, self._dtype)

    @property
    def device_name(self) -> str:
        """See `Model`."""
        return describe(self._device, self._dtype)

    def letterbox(self, picture: PictureInfo, scale: float) -> Letterbox:
        """At the top left; the input's size changes with `scale`."""
        return letterbox_top_left(picture, self._config.size_px, self._config.max_upscale, scale, self.network.multiple)

    def __call__(self, images: Tensor, thresholds: Sequence[float]) -> Candidates:
        """See `Model`."""
        # A CPU takes one image after the other: larger maps leave its caches (measured: 1.5 times as slow).
        at_once = 1 if self._device.type == "cpu" else len(images)
        maps = torch.cat([self.network(part.to(self._dtype)) for part in torch.split(images, at_once)])
        return decode_heat_maps(maps, thresholds)


@torch.inference_mode()
def _build(model: ModelConfig, device: torch.device, dtype: torch.dtype) -> FacePlateNetwork | FacePlateV2Network:
    if len(model.classes) != CLASS_COUNT:
        raise ConfigError(f"model.classes must be {CLASS_COUNT} names for {model.name}, got {len(model.classes)}")
    with torch.device("meta"):  # no memory and no random numbers for weights that are read anyway
        network = _unfilled(model)
    fill_network(network, read_weights(model), model.weights)
    network.fuse(has_fused_conv_relu(device, dtype))
    # torch's type hints lack `memory_format` together with a dtype.
    network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _unfilled(model: ModelConfig) -> FacePlateNetwork | FacePlateV2Network:
    arguments = {name: value for name, value in model.network.items() if name != "_target_"}
    if model.network["_target_"] == BUILT_IN_V2:
        if arguments:
            raise ConfigError(f"model.network: that of face_plate_v2 takes no arguments, got {', '.join(arguments)}")
        return FacePlateV2Network()
    unknown = arguments.keys() - {"plate_width", "plate_depth"}
    if unknown or not all(type(value) is int and 0 <= value <= 4096 for value in arguments.values()):
        raise ConfigError("model.network: the built-in network takes plate_width and plate_depth, whole numbers")
    return FacePlateNetwork(**arguments)


def decode_heat_maps(maps: Tensor, thresholds: Sequence[float]) -> Candidates:
    """Return the local maxima whose score is above their class's threshold; all of them, however large the crowd.

    maps: (B, C, VALUES, H, W), the network's output; on any device, the results come down as one array

    Raises DetectionError when any number in `maps` is not finite.
    """
    logits = maps[:, :, 0].float()
    # A sum is finite only if every term is: the whole output is checked in one pass, without a map of booleans.
    check_finite(maps.sum(dtype=torch.float32))
    scores = logits.sigmoid()
    thresholds_map = torch.tensor(thresholds, dtype=torch.float32, device=maps.device)[:, None, None]
    # Maxima are sought in the logits: large ones differ when their scores are equal.
    is_peak = (functional.max_pool2d(logits, 3, 1, 1) == logits) & (scores > thresholds_map)
    image, class_id, row, column = is_peak.nonzero(as_tuple=True)
    boxes = decode_boxes(maps[image, class_id, 1:, row, column].float(), row, column)
    peak_scores = scores[image, class_id, row, column]
    found = torch.stack([image.float(), class_id.float(), peak_scores, *boxes.unbind(1)], 1).cpu()
    check_finite(found)
    rows = found.numpy()
    return Candidates(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2], rows[:, 3:])


def decode_boxes(values: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Return corners (N, 4) in network pixels, of log height, log width, offset down and right (N, 4) at cells (N,)."""
    height, width = (values[:, :2].clamp(_MIN_LOG_SIZE, _MAX_LOG_SIZE).exp() * (STRIDE / 2)).unbind(1)
    down, across = values[:, 2:].unbind(1)
    middle_y, middle_x = (row + 0.5 + down) * STRIDE, (column + 0.5 + across) * STRIDE
    return torch.stack([middle_x - width, middle_y - height, middle_x + width, middle_y + height], 1)
