"""A program that draws views of frames by the Triton kernel and in plain torch.

    TRITON_INTERPRET=1 python -m tests.detect.drawn_by_triton cpu OUT.npz     in Triton's interpreter
    python -m tests.detect.drawn_by_triton cuda:0 OUT.npz                     on a GPU

Triton is its interpreter for a whole process, from its import on, so this is not done in that of the tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from blurscene_stream import load_settings
from blurscene_stream.boxes import Orientation
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.backends.torch.self_check import load_checked
from blurscene_stream.detect.letterbox import Letterbox, letterbox_centered, letterbox_top_left
from blurscene_stream.detect.preprocessor import Sample
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo
from scripts.check_gpu_input import noise as noise_of

Batches = list[list[Sample]]
PAD_RGB = (7, 80, 200)
VIDEO_FORMATS = [name for name in PIXEL_FORMATS if "j" not in name]  # whose planes hold the same
SIZES = {
    "shrunk": (48, 18, 32),
    "odd and shrunk": (49, 17, 35),
    "to a quarter": (48, 24, 12),
    "enlarged": (21, 8, 36),
    "native": (32, 12, 32),
    "odd and native": (33, 13, 33),
    "wide": (150, 6, 140),
}
"""Width and height of the frame, and longer side of the network's input."""


def noise(name: str, width: int, height: int, number: int = 0, **more: Any) -> Frame:
    """A frame of noise; `more`: of its PictureInfo."""
    return noise_of(PictureInfo(width, height, PIXEL_FORMATS[name], **more), number)


def view_of(frame: Frame, size_px: int) -> Letterbox:
    """The whole picture with its longer side at `size_px`."""
    return letterbox_top_left(frame.picture, size_px, 4, 1.0, 16)


def cases() -> Iterator[tuple[str, Batches]]:
    """Names, and batches of samples that a preprocessor draws one after the other."""
    for name in VIDEO_FORMATS:
        for size in SIZES if name in ("yuv420p", "yuv444p10le") else ("odd and shrunk", "native", "odd and native"):
            width, height, size_px = SIZES[size]
            frame = noise(name, width, height)
            yield f"{name}, {size}", [[Sample(frame, view_of(frame, size_px), 0)]]
    for matrix in (1, 6, 9):
        for full_range in (False, True):
            frame = noise("yuv420p10le", 20, 6, full_range=full_range, color_matrix=matrix)
            yield f"matrix {matrix}, full range: {full_range}", [[Sample(frame, view_of(frame, 20), 0)]]
    for number in range(16):
        turned = Orientation(*(bool(number & bit) for bit in (1, 2, 4)))
        frame = noise("yuv420p", 18, 11, orientation=turned)
        view = replace(view_of(frame, 15), mirrored=number >= 8)
        yield f"{turned}, mirrored: {view.mirrored}", [[Sample(frame, view, 0)]]
    yield "several frames", several_frames()


def several_frames() -> Batches:
    """Frames in any order, of two uploads, in two views and beside the left and upper border."""
    frames = [noise("nv12", 24, 16, number) for number in range(4)]
    plain = letterbox_centered(frames[0].picture, 24, 32, 0.7)
    views = [plain, replace(plain, mirrored=True, rotation=180)]
    assert plain.left and plain.top
    first, *more = [Sample(frame, view, 0) for frame in frames for view in views]
    return [more[2::-1], [more[4], first, *more[3::2]]]


def main(device_name: str, target: str) -> None:
    """Write arrays (2, B, 3, H, W) by the names of the cases: of the kernel, and of plain torch."""
    torch.set_num_threads(1)
    device, drawn = torch.device(device_name), dict[str, np.ndarray]()
    for name, batches in cases():
        ways = [PlanePreprocessor(device, with_triton) for with_triton in (True, False)]
        images = [np.concatenate([way.batch(samples, PAD_RGB).cpu().numpy() for samples in batches]) for way in ways]
        drawn[name] = np.stack(images)
    detect = load_settings(["detect.precision=fp32", "model=face_plate_v2"])
    network = load_checked(detect.model, device_name, detect.detect)
    drawn["device name"] = np.array(network.device_name)
    np.savez(target, **drawn)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
