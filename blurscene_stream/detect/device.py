"""Device of the network; torch is asked only where there may be a GPU."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from blurscene_stream.config.schema import Backend
from blurscene_stream.errors import ConfigError, DeviceError

log = logging.getLogger(__name__)

_GPU_NODES = ("nvidia[0-9]*", "dxg", "nvmap", "kfd")
"""Device files in /dev of GPUs that a build of torch can use: NVIDIA's, its in WSL 2 and on Jetson, AMD's."""


def choose_device(asked: str, backend: Backend = Backend.auto) -> str:
    """Return the device that `asked` ("auto", "cpu", "cuda" or "cuda:N") names; auto: the first GPU, else the CPU.

    auto says in a warning when there is a GPU that cannot be used. Raises DeviceError when a GPU that is asked for
    is not there, ConfigError when `backend` runs on CPUs alone.
    """
    if backend in (Backend.openvino, Backend.onnxruntime):
        if asked.startswith("cuda"):
            raise ConfigError(f"detect.backend: {backend.name} runs on the CPU; use --device cpu, or torch for {asked}")
        return "cpu"
    if runs_on_cpu(asked):
        return "cpu"
    if not is_installed("torch"):
        if asked != "auto":
            raise DeviceError(f"device {asked} needs torch, which is not installed; pip install torch, or --device cpu")
        log.warning("this machine has a GPU, which needs torch: pip install torch; until then the CPU is used")
        return "cpu"
    from blurscene_stream.detect.backends.torch.devices import gpu_count  # noqa: PLC0415  takes a second to import

    count = gpu_count()
    if asked == "auto" and not count:
        log.warning("this machine has a GPU, which torch cannot use: it needs a CUDA build and the driver")
        return "cpu"
    index = int(asked.partition(":")[2] or 0)
    if index >= count:
        there = ", ".join(["cpu", *(f"cuda:{each}" for each in range(count))])
        raise DeviceError(
            f"device {asked} is not there, only {there}; use --device cpu or install a CUDA build of torch"
        )
    return f"cuda:{index}"


def runs_on_cpu(asked: str) -> bool:
    """Whether `asked` means the CPU for certain, without a look at any library."""
    return asked == "cpu" or (asked == "auto" and not has_gpu())


def has_gpu() -> bool:
    """Whether the system shows a GPU that torch may be able to use."""
    return any(next(Path("/dev").glob(pattern), None) is not None for pattern in _GPU_NODES)


def is_installed(library: str) -> bool:
    """Whether a library can be imported, without importing it."""
    try:
        return find_spec(library) is not None
    except ValueError:  # no specification: it is in sys.modules as None, or was made by hand
        return False
