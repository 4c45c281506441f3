"""Detector that returns scripted detections, evaluation options that use it, and tiny images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ClassConfig, RedactConfig, Settings, TrackConfig
from blurscene_stream.evaluate import Bootstrap, ClassMapping, EvaluationOptions
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage
from tests.detectors import CLASSES

Answer = tuple[str, float, tuple[float, float, float, float]]  # class, score, corners


class ScriptedDetector:
    """Detector with scripted answers by frame number; an image has the number of images seen before it."""

    class_names = CLASSES
    device_name = "test"

    def __init__(self, answers: Mapping[int, Sequence[Answer]]) -> None:
        self.answers = answers
        self.thresholds: list[float] = []
        self._pictures: list[DecodedImage] = []

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._one(self.answers.get(self._number(frame), ())) for frame in frames]

    def _number(self, frame: Frame) -> int:
        picture = frame.native
        if not isinstance(picture, DecodedImage):
            return frame.number
        if not any(picture is each for each in self._pictures):
            self._pictures.append(picture)
        return len(self._pictures) - 1

    def _one(self, answers: Sequence[Answer]) -> Detections:
        return Detections(
            np.array([corners for _, _, corners in answers], np.float32).reshape(-1, 4),
            np.array([score for _, score, _ in answers], np.float32),
            np.array([CLASSES.index(name) for name, _, _ in answers], np.int64),
            CLASSES,
        )

    def load(self, settings: Settings) -> ScriptedDetector:
        """Return this detector in place of `load_detector`."""
        self.thresholds.append(settings.classes["face"].threshold)
        return self


def options(
    detector: ScriptedDetector, maps: Sequence[str] = (), margin: float = 0.0, draws: int = 50
) -> EvaluationOptions:
    """Return options to evaluate `detector`, with no tracking and no margin but `margin`."""
    settings = Settings(
        classes={name: ClassConfig(margin=margin) for name in CLASSES},
        redact=RedactConfig(min_margin_px=0),
        track=TrackConfig(enabled=False),
    )
    return EvaluationOptions(settings, ClassMapping(CLASSES, maps), Bootstrap(draws), load_detector=detector.load)


def make_picture(path: Path, width: int = 80, height: int = 60) -> Path:
    """Write a grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path
