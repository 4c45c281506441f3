"""Fixtures of the detector's tests."""

from __future__ import annotations

import pytest

from blurscene_stream.config.schema import DetectConfig, Precision, Settings, TrackConfig, VariantsConfig
from blurscene_stream.detect import Detector, load_detector
from tests.detect.pictures import WIDTH, Picture, draw_scene


@pytest.fixture(scope="session")
def scene() -> Picture:
    return draw_scene()


@pytest.fixture(scope="session")
def detector() -> Detector:
    return load_detector(
        Settings(
            device="cpu",
            detect=DetectConfig(size_px=WIDTH, precision=Precision.fp32, variants=VariantsConfig(scales=[1.0])),
            track=TrackConfig(enabled=False),
        )
    )
