"""Which back end runs a built-in network, by what is installed and asked for, and its loading."""

from __future__ import annotations

from blurscene_stream.config.schema import Backend, DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends.network import DeviceNetwork, Network
from blurscene_stream.detect.backends.onnx_file import find_onnx
from blurscene_stream.detect.device import is_installed
from blurscene_stream.errors import ConfigError


def load_network(model: ModelConfig, device: str, config: DetectConfig) -> Network:
    """Load the network of `model`, ready to run on `device`.

    Raises ConfigError when no back end can run it, weights are not there, or network and weights do not fit together,
    RuntimeError when the library fails.
    """
    # A library is imported when its back end is taken: each takes its time, and may not be installed.
    backend = choose_backend(model, device, config)
    if backend is Backend.openvino:
        from blurscene_stream.detect.backends.openvino import OpenVinoNetwork  # noqa: PLC0415

        return OpenVinoNetwork(model, config)
    if backend is Backend.onnxruntime:
        from blurscene_stream.detect.backends.onnxruntime import OnnxRuntimeNetwork  # noqa: PLC0415

        return OnnxRuntimeNetwork(model, config)
    from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork  # noqa: PLC0415

    return TorchNetwork(model, device, config)


def load_device_network(model: ModelConfig, device: str, config: DetectConfig) -> DeviceNetwork:
    """Load the network of `model` with all that can be done on its device, a GPU, and check it there.

    Raises ConfigError as `load_network`, DetectionError when it does not give what the CPU gives, RuntimeError when the
    library fails.
    """
    _installed(Backend.torch)
    from blurscene_stream.detect.backends.torch.self_check import load_checked  # noqa: PLC0415

    return load_checked(model, device, config)


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
