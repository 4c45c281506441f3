"""Faces that show once the contrast is raised: in transparency alone, in a few levels, in chroma."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.config.schema import DetectConfig, RotationMode, Settings, VariantsConfig
from blurscene_stream.detect import load_detector
from blurscene_stream.image import decode
from blurscene_stream.pipeline.image import ImageAnonymizer
from tests.pictures import file_of, samples_of

Samples = NDArray[np.uint8]


@pytest.fixture(scope="module")
def anonymizer() -> ImageAnonymizer:
    variants = VariantsConfig(scales=[1.0], rotations=RotationMode.none)
    settings = Settings(device="cpu", detect=DetectConfig(size_px=640, variants=variants))
    return ImageAnonymizer(settings, load_detector(settings))


def in_alpha(grey: Samples) -> Samples:
    return np.dstack([np.full((*grey.shape, 3), 128, np.uint8), 251 + grey // 64])


def in_few_levels(grey: Samples) -> Samples:
    made = np.repeat(grey[:, :, None] // 42, 3, axis=2)
    made[0, :8] = 255  # a few bright dots
    return made


def in_a_dark_corner(grey: Samples) -> Samples:
    """Beside a picture that spans all levels."""
    made = np.repeat(grey[:, :, None] // 51, 3, axis=2)
    return np.concatenate(
        [made, np.broadcast_to(np.linspace(0, 255, grey.shape[1])[None, :, None], made.shape).astype(np.uint8)]
    )


def with_dark_corner(samples: Samples) -> Samples:
    made = samples.copy()
    made[:25, :128] = np.arange(128)[None, :, None] // 10
    return made


def in_chroma(grey: Samples) -> Samples:
    flat = np.full_like(grey, 128)
    ycbcr = np.dstack([flat, (128 + (grey - 128.0) / 10).round().astype(np.uint8), flat])
    return np.asarray(Image.fromarray(ycbcr, "YCbCr").convert("RGB"))


@pytest.mark.parametrize("hide", [in_alpha, in_few_levels, in_a_dark_corner, in_chroma])
def test_a_faint_face_is_found(hide: Callable[[Samples], Samples], anonymizer: ImageAnonymizer, shared: Path) -> None:
    with Image.open(shared / "data" / "faces_photos" / "images" / "dlib_002.jpg") as photo:
        grey = np.asarray(photo.convert("L"))
    written = BytesIO()
    Image.fromarray(hide(grey)).save(written, "png")
    found = anonymizer.detect(written.getvalue()).detections
    centers = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2
    for x, y in ((183, 115), (173, 257)):
        assert (np.abs(centers - (x, y)) < 25).all(axis=1).any()


def test_only_faint_and_translucent_images_have_more_frames() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 50, axis=0)
    flat = np.full((50, 256, 3), 7, np.uint8)
    opaque, clear = np.full_like(ramp, 255), ramp
    for samples, expected in (
        (samples_of(3), 1),
        (ramp, 1),
        (flat, 1),
        (ramp // 5, 2),
        (with_dark_corner(ramp), 2),
        (np.dstack([flat, opaque]), 1),
        (np.dstack([flat, clear]), 4),
        (np.dstack([ramp // 5, clear]), 5),
    ):
        frames = decode(file_of(samples, "png")).frames()
        assert len(frames) == expected
        assert [frame.number for frame in frames] == list(range(expected))
    shown = frames[-1].scale_rgb(256, 50)
    assert shown.min() == 0 and shown.max() == 255
