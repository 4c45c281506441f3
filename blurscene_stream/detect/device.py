"""Device and precision of the network."""

from pathlib import Path

import torch

from blurscene_stream.config.schema import Precision
from blurscene_stream.errors import DeviceError

_CPUINFO = Path("/proc/cpuinfo")
_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_FAST_BF16 = ("avx512_bf16", "amx_bf16")


def choose_device(asked: str) -> torch.device:
    """Return the device that `asked` ("auto", "cpu", "cuda" or "cuda:N") names; auto: the first GPU, else the CPU.

    Raises DeviceError when it is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "cpu" or (asked == "auto" and not count):
        return torch.device("cpu")
    device = torch.device("cuda:0" if asked in ("auto", "cuda") else asked)
    if device.index >= count:
        there = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
        raise DeviceError(
            f"device {asked} is not there, only {there}; use --device cpu or install a CUDA build of torch"
        )
    return device


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype to calculate in; auto: bfloat16 where the chip multiplies it, else float32.

    A CPU does so with AVX512-BF16 or AMX (1.5 to 2.5 times as fast as float32); a GPU from compute
    capability 8.0 on. A rule and not a timing, so that a machine gives the same boxes in every run.
    """
    if precision is not Precision.auto:
        return torch.bfloat16 if precision is Precision.bf16 else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = any(flag in cpu_flags() for flag in _FAST_BF16)
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


def cpu_flags() -> frozenset[str]:
    """Return the CPU's feature flags, from /proc/cpuinfo; none where there is no such file."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def describe(device: torch.device, dtype: torch.dtype) -> str:
    """Name device and precision, such as "cpu, bf16" or "cuda:0 NVIDIA H200, bf16"."""
    name = f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "cpu"
    return f"{name}, {_NAMES[dtype]}"
