"""Which back end runs a built-in network, by what is installed and asked for, and its loading."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import Backend, DetectConfig, ModelConfig, Precision, Settings
from blurscene_stream.detect.backends.network import DeviceNetwork, Network
from blurscene_stream.detect.backends.onnx_file import find_onnx
from blurscene_stream.detect.device import is_installed, runs_on_cpu
from blurscene_stream.errors import ConfigError

_LIGHT = {Backend.openvino: "openvino.OpenVinoNetwork", Backend.onnxruntime: "onnxruntime.OnnxRuntimeNetwork"}


def load_network(model: ModelConfig, device: str, config: DetectConfig) -> Network:
    """Load the network of `model`, ready to run on `device`.

    Raises ConfigError when no back end can run it, weights are not there, or network and weights do not fit together,
    RuntimeError when the library fails.
    """
    backend = choose_backend(model, device, config)
    if backend in _LIGHT:
        network: Network = _light(backend)(model, config)
        return network
    from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork  # noqa: PLC0415  takes seconds

    return TorchNetwork(model, device, config)


def load_device_network(model: ModelConfig, device: str, config: DetectConfig) -> DeviceNetwork:
    """Load the network of `model` with all that can be done on its device, a GPU, and check it there.

    Raises ConfigError as `load_network`, DetectionError when it does not give what the CPU gives, RuntimeError when the
    library fails.
    """
    _installed(Backend.torch)
    from blurscene_stream.detect.backends.torch.self_check import load_checked  # noqa: PLC0415

    return load_checked(model, device, config)


def import_light_backends(settings: Settings) -> bool:
    """Import the libraries that `load_network` will need; False, and nothing is imported, where torch is among them.

    For who then loads the networks on another thread: two threads that import at once only wait for each other. What is
    wrong with the settings is left to `load_network` to say.
    """
    try:
        models = models_of(settings)
        if not runs_on_cpu(settings.device) or not all(model.is_built_in for model in models):
            return False
        backends = {choose_backend(model, "cpu", settings.detect) for model in models}
        if not backends <= _LIGHT.keys():
            return False
        for backend in backends:
            _light(backend)
    except (ConfigError, ImportError):
        return False
    return True


def _light(backend: Backend) -> Any:
    """Import a back end when it is taken: each takes its time, and may not be installed."""
    module, _, name = _LIGHT[backend].partition(".")
    return getattr(import_module(f"blurscene_stream.detect.backends.{module}"), name)


def choose_backend(model: ModelConfig, device: str, config: DetectConfig) -> Backend:
    """Return the back end for a built-in model: the one that is asked for, else torch on a GPU, else the fastest there.

    On a CPU that is OpenVINO, then ONNX Runtime (not in bf16 or int8, which it lacks), where the network is there as
    ONNX, then torch. Raises ConfigError when the one that is asked for is not installed, or none is.
    """
    if config.backend is not Backend.auto:
        return _installed(config.backend)
    if device != "cpu":
        return Backend.torch
    short = config.precision in (Precision.bf16, Precision.int8)
    on_cpu = [Backend.openvino] if short else [Backend.openvino, Backend.onnxruntime]
    if find_onnx(model) is not None:
        for backend in on_cpu:
            if is_installed(backend.name):
                return backend
    return _installed(Backend.torch)


def _installed(backend: Backend) -> Backend:
    if not is_installed(backend.name):
        raise ConfigError(f"detect.backend: {backend.name} is not installed; pip install {backend.name}")
    return backend
