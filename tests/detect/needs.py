"""Libraries that some tests need and an installation may lack: they skip without them, or fail where that is asked."""

from __future__ import annotations

import os

import pytest

from blurscene_stream.detect.device import is_installed

REASONS = {
    "triton": "the kernel of the network's input on GPUs",
    "torch": "the back end for GPUs and for models of one's own",
    "openvino": "the back end for CPUs",
    "onnxruntime": "the back end for CPUs that OpenVINO has no package for",
    "onnx": "of blurscene-stream export",
    "onnxscript": "of blurscene-stream export",
}


def need(*libraries: str) -> None:
    """Skip the calling test or module where one of `libraries` is missing; FAIL_WITHOUT_TORCH=1 and so on: fail."""
    for library in libraries:
        if is_installed(library):
            continue
        if os.environ.get(f"FAIL_WITHOUT_{library.upper()}"):
            pytest.fail(f"FAIL_WITHOUT_{library.upper()} is set and {library} is not installed")
        pytest.skip(f"{library} is not installed: {REASONS[library]}", allow_module_level=True)


def need_gpu() -> None:
    """Skip the calling test where torch has no GPU; FAIL_WITHOUT_GPU=1: fail."""
    import torch  # noqa: PLC0415  not everywhere

    if not torch.cuda.is_available():
        if os.environ.get("FAIL_WITHOUT_GPU"):
            pytest.fail("FAIL_WITHOUT_GPU is set and torch has no GPU")
        pytest.skip("torch has no GPU here")
