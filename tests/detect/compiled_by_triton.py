"""A program that compiles the Triton kernel for a GPU that is not there, through everything but the launch itself.

    python -m tests.detect.compiled_by_triton CAPABILITY

Prints how many kernels were compiled for all video formats, and how often they would have been launched.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from blurscene_stream.detect.backends.torch.fused_draw import FusedDraw
from blurscene_stream.detect.backends.torch.planes import upload
from tests.detect.drawn_by_triton import SIZES, VIDEO_FORMATS, noise, view_of

kernels, launches = list[Any](), list[Any]()


class _Launcher:
    def __init__(self, source: Any, metadata: Any) -> None:
        kernels.append((source, metadata))

    def __call__(self, *arguments: Any) -> None:
        launches.append(arguments)


class _Driver:
    """What Triton asks a driver for."""

    launcher_cls = _Launcher
    utils = SimpleNamespace(
        load_binary=lambda *_: (object(), None, 0, 0, 1024),  # registers, spills, threads
        get_device_properties=lambda _: {"max_shared_mem": 48 << 10},
    )

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._capability, 32)


def main(capability: int) -> None:
    """Compile the kernel as views of frames of all formats need it."""
    driver.set_active(_Driver(capability))
    device = torch.device("cpu")
    draw = FusedDraw(device)
    draw._check = lambda *_: None  # type: ignore[method-assign]  # nothing is drawn
    for name in VIDEO_FORMATS:
        for full_range in (False, True):
            for width, height, size_px in SIZES.values():
                frame = noise(name, width, height, full_range=full_range)
                view, place = view_of(frame, size_px), torch.zeros(1, dtype=torch.int64)
                images = torch.zeros((1, view.height, view.width, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
                draw(upload([frame], device), place, view, images, place)
    print(len(kernels), len(launches))


if __name__ == "__main__":
    main(int(sys.argv[1]))
