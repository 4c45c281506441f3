"""The built-in networks in torch, fused, as a `Network`."""

from __future__ import annotations

import torch

from blurscene_stream.config.schema import BUILT_IN_V2, DetectConfig, ModelConfig
from blurscene_stream.detect.backends.network import Maps, Pictures
from blurscene_stream.detect.backends.torch.devices import choose_dtype, describe, set_threads
from blurscene_stream.detect.backends.torch.layers import has_fused_conv_relu
from blurscene_stream.detect.backends.torch.network import FacePlateNetwork
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights
from blurscene_stream.errors import ConfigError

BuiltIn = FacePlateNetwork | FacePlateV2Network


class TorchNetwork:
    """`Network` in torch, on any of its devices."""

    def __init__(self, model: ModelConfig, device: str, config: DetectConfig) -> None:
        """Raise ConfigError when the weights are not there, or network and weights do not fit together."""
        set_threads(config.threads)
        self._device = torch.device(device)
        self._dtype = choose_dtype(config.precision, self._device)
        self.network = on_device(load_built_in(model), self._device, self._dtype)

    @property
    def device_name(self) -> str:
        """See `Network`."""
        return describe(self._device, self._dtype)

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def __call__(self, images: Pictures) -> Maps:
        """See `Network`."""
        # A CPU takes one image after the other: larger maps leave its caches (measured: 1.5 times as slow).
        at_once = 1 if self._device.type == "cpu" else len(images)
        shown = torch.from_numpy(images).to(self._device)
        maps = torch.cat([self.network(part.to(self._dtype)) for part in torch.split(shown, at_once)])
        made: Maps = maps.cpu().float().numpy()  # in this order: 16 bits are half as much to bring down
        return made


def load_built_in(model: ModelConfig) -> BuiltIn:
    """Load the network of a built-in model in float32 on the CPU, not fused. Raises ConfigError."""
    with torch.device("meta"):  # no memory and no random numbers for weights that are read anyway
        network = _unfilled(model)
    fill_network(network, read_weights(model), model.weights)
    return network


@torch.inference_mode()
def on_device(network: BuiltIn, device: torch.device, dtype: torch.dtype) -> BuiltIn:
    """Fuse a network and move it to a device, ready to run there in `dtype`."""
    network.fuse(has_fused_conv_relu(device, dtype))
    # torch's type hints lack `memory_format` together with a dtype.
    network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _unfilled(model: ModelConfig) -> BuiltIn:
    arguments = {name: value for name, value in model.network.items() if name != "_target_"}
    if model.network["_target_"] == BUILT_IN_V2:
        if arguments:
            raise ConfigError(f"model.network: that of face_plate_v2 takes no arguments, got {', '.join(arguments)}")
        return FacePlateV2Network()
    unknown = arguments.keys() - {"plate_width", "plate_depth"}
    if unknown or not all(type(value) is int and 0 <= value <= 4096 for value in arguments.values()):
        raise ConfigError("model.network: the built-in network takes plate_width and plate_depth, whole numbers")
    return FacePlateNetwork(**arguments)
