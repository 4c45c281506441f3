"""The step of check_gpu that measures network input made of planes, and compares the Triton kernel with plain torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from blurscene_stream.detect.backends.torch.cuda_graphs import CAPTURE_AFTER
from blurscene_stream.detect.backends.torch.devices import has_triton
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.detect.preprocessor import Sample
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo, Plane

MAX_LEVELS = 1  # between the kernel's input and torch's: sums are rounded in another order

Row = tuple[str, str, bool | None]


def check_input(
    device: torch.device, frame: Frame, view: Letterbox, batches: Sequence[int], seconds: float
) -> Iterator[Row]:
    """Measure how fast a view of such frames is made on a device; see whether both ways make the same.

    In pictures a second, with planes that are brought up, and with planes that are there.
    """
    ways = {"Triton": True, "torch": False} if has_triton(device) else {"torch": False}
    for count in batches:
        samples = [Sample(each, view, 0) for each in copies_of(frame, count)]
        for name, with_triton in ways.items():
            drawn = Drawn(device, with_triton, samples)
            brought_up, there = rate(drawn.from_frames, count, seconds), rate(drawn.from_planes, count, seconds)
            yield f"input by {name}, {count} at once", f"{brought_up:.0f} pictures/s, {there:.0f} of planes there", None
    if "Triton" not in ways:
        yield "input by Triton", "not on this machine", None
        return
    for pixel_format in PIXEL_FORMATS.values():
        made = noise(replace(frame.picture, pixel_format=pixel_format))
        levels = difference(device, made, replace(view, picture=made.picture))
        seen = f"{levels.mean():.2g} levels on average, {levels.max()} at most"
        yield f"input of {pixel_format.name} by Triton, to torch's", seen, bool(levels.max() <= MAX_LEVELS)


class Drawn:
    """Samples that are drawn again and again; each call waits for the device."""

    def __init__(self, device: torch.device, with_triton: bool, samples: Sequence[Sample]) -> None:
        self._device, self._samples = device, samples
        self._preprocessor = PlanePreprocessor(device, with_triton)

    def from_frames(self) -> None:
        """Bring the planes up and draw them."""
        self._preprocessor.forget()
        self.from_planes()

    def from_planes(self) -> None:
        """Draw planes that have been brought up before, if they have."""
        self._preprocessor.batch(self._samples)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def difference(device: torch.device, frame: Frame, view: Letterbox) -> NDArray[np.int16]:
    """Return by how many levels the two ways differ, of a view as it is and of its mirror image upside down."""
    samples = [Sample(frame, each, 0) for each in (view, replace(view, mirrored=True, rotation=180))]
    triton, plain = (PlanePreprocessor(device, way).batch(samples, (1, 2, 3)).cpu().numpy() for way in (True, False))
    levels: NDArray[np.int16] = np.abs(triton.astype(np.int16) - plain)
    return levels


def noise(picture: PictureInfo, number: int = 0) -> Frame:
    """Make a frame of noise, which shows each sample that is not where it belongs."""
    pixel_format = picture.pixel_format
    chroma = (-(-picture.height >> pixel_format.shift_y), -(-picture.width >> pixel_format.shift_x))
    shapes = [(picture.height, picture.width), *([(*chroma, 2)] if pixel_format.interleaved else [chroma, chroma])]
    rng, dtype = np.random.default_rng(number), np.uint8 if pixel_format.bits == 8 else np.uint16
    planes: list[Plane] = [rng.integers(0, 1 << pixel_format.bits, shape, dtype) for shape in shapes]
    return Frame(number, number, picture, tuple(planes), lambda *_: np.empty((0, 0, 3), np.uint8), None)


def copies_of(frame: Frame, count: int) -> list[Frame]:
    """Return as many frames, each of which is brought up by itself."""
    return [replace(frame, number=number) for number in range(count)]


def rate(work: Callable[[], object], count: int, seconds: float) -> float:
    """Return how often a second `work` is done on `count` pictures; not before its shape has a graph."""
    for _ in range(CAPTURE_AFTER + 2 if seconds >= 1 else 1):
        work()
    start_s, done = time.perf_counter(), 0
    while time.perf_counter() - start_s < seconds or not done:
        work()
        done += count
    return done / (time.perf_counter() - start_s)
