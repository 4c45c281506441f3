"""Models and networks that record what they are given, or give again what was recorded, to time their parts alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from blurscene_stream.boxes import Boxes, Detections, Scores
from blurscene_stream.detect.backends.network import Maps, Network, Pictures
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.detect.model import Candidates, Model
from blurscene_stream.detect.preprocessor import Drawer
from blurscene_stream.frames import Frame, PictureInfo, ScanMode
from blurscene_stream.pipeline.detection import Detector


class RecordingModel:
    """`Model` that passes everything on to another one, and keeps what that was called with."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.class_names, self.pad_rgb, self.device_name = model.class_names, model.pad_rgb, model.device_name
        self.calls: list[tuple[Pictures, Sequence[float]]] = []
        self.views: set[Letterbox] = set()

    def letterbox(self, picture: PictureInfo, scale: float) -> Letterbox:
        """See `Model`."""
        view = self._model.letterbox(picture, scale)
        self.views.add(view)
        return view

    @property
    def preprocessor(self) -> Callable[[], Drawer]:
        """See `Model`."""
        return self._model.preprocessor

    def __call__(self, images: Pictures, thresholds: Sequence[float]) -> Candidates:
        """See `Model`."""
        self.calls.append((images, thresholds))
        return self._model(images, thresholds)


class BlindModel(RecordingModel):
    """`Model` that takes the pictures as another one does, and finds nothing: what is left is the way to its input."""

    def __call__(self, images: Pictures, thresholds: Sequence[float]) -> Candidates:  # noqa: ARG002
        """See `Model`."""
        none = np.zeros(0, np.int64)
        boxes: Boxes = np.zeros((0, 4), np.float32)
        scores: Scores = np.zeros(0, np.float32)
        return Candidates(none, none, scores, boxes)


class RecordingNetwork:
    """`Network` that passes pictures on to another one, and keeps its maps."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.device_name = network.device_name
        self.maps: list[Maps] = []

    def __call__(self, images: Pictures) -> Maps:
        """See `Network`."""
        maps = self._network(images)
        self.maps.append(maps)
        return maps


class ReplayingNetwork:
    """`Network` that gives recorded maps again, in order, whatever the pictures."""

    device_name = "none"

    def __init__(self, maps: Sequence[Maps]) -> None:
        self._maps = iter(maps)

    def __call__(self, images: Pictures) -> Maps:  # noqa: ARG002
        """See `Network`."""
        return next(self._maps)


class TurnedChecks:
    """`Detect` that knows the detections of upright frames, and has a detector look at turned ones alone."""

    def __init__(self, detector: Detector, known: Sequence[Detections]) -> None:
        """`known`: the detections of frames 0, 1, 2 ..."""
        self._detector, self._known = detector, known

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """See `Detect`."""
        if all(frame.scan_mode is ScanMode.full for frame in frames):
            return [self._known[frame.number] for frame in frames]
        return self._detector(frames)
