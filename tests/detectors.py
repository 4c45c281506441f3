"""Detectors that need no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame, ScanMode
from blurscene_stream.pipeline import detection
from blurscene_stream.pipeline.detection import LoadDetector

CLASSES = ("face", "license_plate")
BRIGHT = 200  # of 8 bits: only the test videos' square is that bright


def take_detector(load: LoadDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command line load another detector."""
    from blurscene_stream.api import Anonymizer  # noqa: PLC0415  # some tests exchange what it imports

    monkeypatch.setattr(detection, "load_configured_detector", load)
    monkeypatch.setattr(Anonymizer.__init__, "__kwdefaults__", {"load_detector": load})


class SquareDetector:
    """Finds the bright square of tests/videos.py in the frame's own luma plane.

    hook:  called with the frames of each batch first; it may raise, wait or return another answer
    score: of the square
    """

    class_names = CLASSES
    device_name = "test"

    def __init__(
        self, hook: Callable[[Sequence[Frame]], list[Detections] | None] = lambda _: None, score: float = 1.0
    ) -> None:
        self._hook, self._score = hook, score
        self.frame_numbers: list[int] = []

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        if frames[0].scan_mode is ScanMode.only_turned:  # the square shows upright
            return [Detections.empty(CLASSES)] * len(frames)
        self.frame_numbers += [frame.number for frame in frames]
        answer = self._hook(frames)
        return [self._find(frame) for frame in frames] if answer is None else answer

    def _find(self, frame: Frame) -> Detections:
        bright = frame.planes[0] >> (frame.picture.pixel_format.bits - 8) > BRIGHT
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if not len(rows):
            return Detections.empty(CLASSES)
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return Detections(np.array(box, np.float32), np.array([self._score], np.float32), np.ones(1, np.int64), CLASSES)

    def load(self, _: Settings) -> SquareDetector:
        """Stands in for `load_detector`."""
        return self


class RgbSquareDetector(SquareDetector):
    """Finds the bright square in the RGB picture that a real detector is shown, and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[NDArray[np.uint8]] = []

    def _find(self, frame: Frame) -> Detections:
        rgb = frame.scale_rgb(frame.picture.width, frame.picture.height)
        self.shown.append(rgb)
        bright = rgb[:, :, 1] > BRIGHT
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if not len(rows):
            return Detections.empty(CLASSES)
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return Detections(np.array(box, np.float32), np.ones(1, np.float32), np.ones(1, np.int64), CLASSES)
