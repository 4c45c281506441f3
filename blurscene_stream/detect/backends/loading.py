"""Loads the network of a built-in model in the back end that runs it."""

from __future__ import annotations

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.backends.network import Network


def load_network(model: ModelConfig, device: str, config: DetectConfig) -> Network:
    """Load the network of `model`, ready to run on `device`.

    Raises ConfigError when the weights are not there, or network and weights do not fit together, RuntimeError when
    the library fails.
    """
    from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork  # noqa: PLC0415  takes long

    return TorchNetwork(model, device, config)
