"""The Triton kernel that draws network input, against plain torch: in Triton's interpreter, which needs no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from blurscene_stream.detect.backends.torch.devices import has_triton
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.preprocessor import Sample
from blurscene_stream.errors import DetectionError
from tests.conftest import ROOT
from tests.detect.drawn_by_triton import PAD_RGB, cases, noise, view_of
from tests.detect.needs import need, need_gpu

need("triton")

from blurscene_stream.detect.backends.torch import fused_draw  # noqa: E402

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


def run(program: str, *arguments: str, **environment: str) -> str:
    """What a program of the tests prints."""
    command = [sys.executable, "-m", f"tests.detect.{program}", *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.uint8]]:
    return drawn_on("cpu", tmp_path_factory.mktemp("drawn"), TRITON_INTERPRET="1")


def drawn_on(device: str, folder: Path, **environment: str) -> dict[str, NDArray[np.uint8]]:
    """Arrays (2, B, 3, H, W) by the names of the cases: of the kernel and of torch."""
    run("drawn_by_triton", device, str(folder / "drawn.npz"), **environment)
    with np.load(folder / "drawn.npz") as arrays:
        return dict(arrays)


def assert_same(made: NDArray[np.int64], wanted: NDArray[np.int64]) -> None:
    difference = np.abs(made - wanted)
    assert difference.max() <= 1 and (difference != 0).mean() < 0.002


@pytest.mark.parametrize("name", [name for name, _ in cases()])
def test_the_kernel_draws_what_torch_draws(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    made, wanted = drawn[name].astype(int)
    assert wanted[0].std() > 20 and np.array_equal(wanted[0, :, -1, -1], PAD_RGB)
    assert_same(made, wanted)


def test_a_gpu_draws_what_torch_draws(tmp_path: Path) -> None:
    need_gpu()
    for name, images in drawn_on("cuda:0", tmp_path, TRITON_INTERPRET="0").items():
        if images.dtype == np.uint8:
            assert_same(*images.astype(int))
        else:
            assert "torch with Triton" in str(images), name


def test_a_network_with_the_kernel_says_so_and_passes_the_check_before_the_first_frame(
    drawn: dict[str, NDArray[np.uint8]],
) -> None:
    assert str(drawn["device name"]) == "cpu, torch with Triton, fp32"


@pytest.mark.parametrize("capability", ["75", "80", "90"])
def test_the_kernel_is_compiled_once_for_8_bits_and_once_for_10(capability: str, tmp_path: Path) -> None:
    kernels, launches = run("compiled_by_triton", capability, TRITON_CACHE_DIR=str(tmp_path)).split()
    assert kernels == "2" and int(launches) > 50


def broken(launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[[], torch.Tensor]:
    """Drawing with another kernel."""
    monkeypatch.setattr(fused_draw, "launch", launch)
    frame = noise("yuv422p10le", 32, 16)
    return lambda: PlanePreprocessor(CPU, with_triton=True).batch([Sample(frame, view_of(frame, 32), 0)])


def test_a_kernel_that_draws_something_else_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = broken(lambda *_: None, monkeypatch)
    with pytest.raises(DetectionError, match=r"draws yuv422p10le of 32x16 px on cpu \d+ levels off; try --set detect"):
        draw()


def test_a_kernel_that_cannot_be_compiled_ends_the_run_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise subprocess.CalledProcessError(1, ["gcc", "main.c"], "Python.h: no such file\nmore")

    draw = broken(fail, monkeypatch)
    with pytest.raises(
        DetectionError, match=r"cannot be run on cpu: CalledProcessError: .*gcc.*detect\.on_device"
    ) as failed:
        draw()
    assert "\n" not in str(failed.value)


def test_an_error_of_the_device_is_told_by_who_runs_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        broken(fail, monkeypatch)()


def test_torch_draws_where_triton_has_no_compiler_or_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delenv("CC", raising=False)
    gcc = tmp_path / "gcc"
    gcc.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("blurscene_stream.detect.backends.torch.devices._include_folder", lambda: tmp_path)
    assert not has_triton(GPU)  # no headers of Python
    (tmp_path / "Python.h").touch()
    assert has_triton(GPU) and not has_triton(CPU)
    gcc.unlink()
    assert not has_triton(GPU)
    monkeypatch.setenv("CC", "/opt/cc")
    assert has_triton(GPU)
    monkeypatch.setitem(sys.modules, "triton", None)
    assert not has_triton(GPU)
