"""The built-in model: our network, fused, and its peaks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.decode import Peaks, find_peaks
from blurscene_stream.detect.device import choose_dtype, describe
from blurscene_stream.detect.network import CLASS_COUNT, FacePlateNetwork, can_do_one_step
from blurscene_stream.detect.prepare import Layout, plan_layout
from blurscene_stream.detect.weights import fill_network, read_weights
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import PictureInfo


class FacePlateModel:
    """`Model` with the built-in network."""

    pad_rgb = (0, 0, 0)

    def __init__(self, model: ModelConfig, device: torch.device, config: DetectConfig) -> None:
        """Raises ConfigError when the weights are not there, or network, weights and classes do not fit together."""
        self.classes = tuple(model.classes)
        self._device = device
        self._dtype = choose_dtype(config.precision, device)
        self._config = config
        self.network = _build(model, device, self._dtype)

    @property
    def device_name(self) -> str:
        """See `Model`."""
        return describe(self._device, self._dtype)

    def plan(self, picture: PictureInfo, times: float) -> Layout:
        """At the top left; the input's size changes with `times`."""
        return plan_layout(picture, self._config.size_px, self._config.max_upscale, times)

    def __call__(self, pictures: Tensor, thresholds: Sequence[float]) -> Peaks:
        """See `Model`."""
        # A CPU takes one picture after the other: larger maps leave its caches (measured: 1.5 times as slow).
        at_once = 1 if self._device.type == "cpu" else len(pictures)
        maps = torch.cat([self.network(part.to(self._dtype)) for part in torch.split(pictures, at_once)])
        return find_peaks(maps, thresholds)


@torch.inference_mode()
def _build(model: ModelConfig, device: torch.device, dtype: torch.dtype) -> FacePlateNetwork:
    if len(model.classes) != CLASS_COUNT:
        raise ConfigError(f"model.classes must be {CLASS_COUNT} names for {model.name}, got {len(model.classes)}")
    arguments = {name: value for name, value in model.network.items() if name != "_target_"}
    unknown = arguments.keys() - {"plate_width", "plate_depth"}
    if unknown or not all(type(value) is int and 0 <= value <= 4096 for value in arguments.values()):
        raise ConfigError("model.network: the built-in network takes plate_width and plate_depth, whole numbers")
    with torch.device("meta"):  # no memory and no random numbers for weights that are read anyway
        network = FacePlateNetwork(**arguments)
    fill_network(network, read_weights(model), model.weights)
    network.fuse(can_do_one_step(device, dtype))
    # torch's type hints lack `memory_format` together with a dtype.
    network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
