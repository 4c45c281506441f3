"""Devices, precision and threads of networks that torch runs."""

from __future__ import annotations

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import torch

from blurscene_stream.config.schema import Precision
from blurscene_stream.detect.backends.processor import has_fast_bf16
from blurscene_stream.errors import ConfigError

_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def gpu_count() -> int:
    """Return how many GPUs torch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype to calculate in; auto: bfloat16 where the chip multiplies it, else float32.

    A GPU does so from compute capability 8.0 on. A rule and not a timing, so that a machine gives the same boxes in
    every run. Raises ConfigError for int8.
    """
    if precision is Precision.int8:
        raise ConfigError("detect.precision: torch has no int8; use --backend openvino (detect.backend), on the CPU")
    if precision is not Precision.auto:
        return torch.bfloat16 if precision is Precision.bf16 else torch.float32
    on_gpu = device.type == "cuda"
    fast = torch.cuda.get_device_capability(device) >= (8, 0) if on_gpu else has_fast_bf16()
    return torch.bfloat16 if fast else torch.float32


def choose_amp_dtype(with_amp: bool, precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype of autocast for a network that is built for 32 bits; float32 means none.

    `with_amp` is for "auto": bfloat16 where the chip multiplies it, else float16 on a GPU and float32 on a CPU.
    """
    if precision is Precision.auto and not with_amp:
        return torch.float32
    dtype = choose_dtype(precision, device)
    slow = precision is Precision.auto and device.type == "cuda" and dtype is torch.float32
    return torch.float16 if slow else dtype


def has_triton(device: torch.device) -> bool:
    """Whether Triton's kernels can be used: on a GPU, and on a CPU in Triton's interpreter (TRITON_INTERPRET=1).

    On a GPU it makes a module for Python before its first kernel, for which there must be a C compiler and Python's
    headers. Where something fails although all of these are there, that is an error.
    """
    if find_spec("triton") is None:
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    has_compiler = "CC" in os.environ or any(shutil.which(name) for name in ("gcc", "clang"))
    return device.type == "cuda" and has_compiler and (_include_folder() / "Python.h").exists()


def _include_folder() -> Path:
    """Where Triton looks for Python's headers."""
    scheme = sysconfig.get_default_scheme()  # Debian's own has a folder for local packages, without the headers
    return Path(sysconfig.get_paths("posix_prefix" if scheme == "posix_local" else scheme)["include"])


def describe(device: torch.device, dtype: torch.dtype, library: str = "torch") -> str:
    """Name device, library and precision, such as "cpu, torch, bf16" or "cuda:0 NVIDIA H200, torch, bf16"."""
    name = f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "cpu"
    return f"{name}, {library}, {_NAMES[dtype]}"


def set_threads(count: int) -> None:
    """Set the threads of a network on the CPU; 0: as many as torch takes by itself."""
    if count:
        torch.set_num_threads(count)
