"""What the detector asks of a model, whatever network it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from blurscene_stream.detect.decode import Peaks
from blurscene_stream.detect.prepare import Layout
from blurscene_stream.frames import PictureInfo


class Model(Protocol):
    """A network on its device, and how it is asked."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that its labels stand for."""

    @property
    def pad_rgb(self) -> tuple[int, int, int]:
        """The colour beside the picture."""

    @property
    def device_name(self) -> str:
        """Where it runs and how, such as "cpu, bf16"."""

    def plan(self, picture: PictureInfo, times: float) -> Layout:
        """How it wants to see a whole picture, at so many times the size that it has otherwise."""

    def __call__(self, pictures: Tensor, thresholds: Sequence[float]) -> Peaks:
        """All that it finds with a score above its class's threshold, boxes in pixels of the pictures.

        pictures: uint8 (B, 3, H, W), RGB, on the device, channels last

        Raises DetectionError when it gives numbers that are not finite, RuntimeError when torch fails.
        """
