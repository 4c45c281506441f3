"""Devices: what is asked for, or an error that says what is there."""

from __future__ import annotations

import pytest
import torch

from blurscene_stream.config.schema import Precision
from blurscene_stream.detect import device as device_module
from blurscene_stream.detect.backends import processor
from blurscene_stream.detect.backends.torch.devices import choose_amp_dtype, choose_dtype, describe
from blurscene_stream.detect.device import choose_device
from blurscene_stream.errors import DeviceError

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(device_module, "has_gpu", lambda: gpus > 0)


@pytest.mark.parametrize(
    ("gpus", "asked", "given"),
    [(0, "auto", "cpu"), (0, "cpu", "cpu"), (1, "cpu", "cpu"), (1, "auto", "cuda:0"), (2, "cuda", "cuda:0"),
     (2, "cuda:1", "cuda:1")],
)  # fmt: skip
def test_auto_takes_the_first_gpu_and_else_the_cpu(
    monkeypatch: pytest.MonkeyPatch, gpus: int, asked: str, given: str
) -> None:
    pretend(monkeypatch, gpus)
    assert choose_device(asked) == given


@pytest.mark.parametrize(("gpus", "asked"), [(0, "cuda"), (0, "cuda:0"), (1, "cuda:1")])
def test_a_missing_gpu_is_an_error_that_says_what_is_there(
    monkeypatch: pytest.MonkeyPatch, gpus: int, asked: str
) -> None:
    pretend(monkeypatch, gpus)
    with pytest.raises(DeviceError, match="--device cpu") as missing:
        choose_device(asked)
    assert asked in str(missing.value)
    assert ("cuda:0" in str(missing.value).partition("only")[2]) == (gpus == 1)


@pytest.mark.parametrize(("flags", "given"), [({"avx2"}, torch.float32), ({"avx2", "avx512_bf16"}, torch.bfloat16)])
def test_a_cpu_gets_bfloat16_where_it_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], given: torch.dtype
) -> None:
    monkeypatch.setattr(processor, "cpu_flags", lambda: flags)
    assert choose_dtype(Precision.auto, CPU) == given
    assert choose_dtype(Precision.fp32, CPU) == torch.float32
    assert choose_dtype(Precision.bf16, CPU) == torch.bfloat16


@pytest.mark.parametrize(("capability", "given"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_a_gpu_gets_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], given: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert choose_dtype(Precision.auto, torch.device("cuda:0")) == given


@pytest.mark.parametrize(
    ("with_amp", "precision", "gpu", "given"),
    [
        (False, "auto", (9, 0), torch.float32),
        (True, "auto", (9, 0), torch.bfloat16),
        (True, "auto", (7, 5), torch.float16),
        (True, "fp32", (9, 0), torch.float32),
        (False, "bf16", (9, 0), torch.bfloat16),
        (True, "auto", None, torch.float32),
        (False, "bf16", None, torch.bfloat16),
    ],
)
def test_autocast_is_for_who_asks_and_where_it_gains(
    monkeypatch: pytest.MonkeyPatch, with_amp: bool, precision: str, gpu: tuple[int, int] | None, given: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: gpu)
    monkeypatch.setattr(processor, "cpu_flags", lambda: {"avx2"})
    device = torch.device("cuda:0") if gpu else CPU
    assert choose_amp_dtype(with_amp, Precision[precision], device) == given


def test_the_name_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    assert describe(CPU, torch.float32) == "cpu, torch, fp32"
    assert describe(torch.device("cuda:0"), torch.bfloat16) == "cuda:0 NVIDIA H200, torch, bf16"
