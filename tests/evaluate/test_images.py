"""Pictures of a data set are measured as the anonymizer sees them: upright, with everything that may show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.config.schema import ClassConfig, RedactConfig, Settings
from blurscene_stream.errors import DetectionError, SourceError
from blurscene_stream.evaluate import ClassMapping, EvaluationOptions, ImageReport, measure_images
from tests.detectors import CLASSES, RgbSquareDetector, SquareDetector
from tests.pictures import HEIGHT, SQUARE, WIDTH, exif_of, file_of, samples_of, turned


def _measured(folder: Path, data: bytes, box: tuple[int, ...], size: tuple[int, int] | None) -> ImageReport:
    """What RgbSquareDetector finds in a picture with one plate."""
    (folder / "a.png").write_bytes(data)
    row: dict[str, object] = {"file": "a.png", "boxes": [{"label": "license_plate", "xyxy": box}]}
    if size is not None:
        row |= {"width": size[0], "height": size[1]}
    (folder / "labels.jsonl").write_text(json.dumps(row))
    return measure_images(folder, _options(RgbSquareDetector()))


def _options(detector: SquareDetector) -> EvaluationOptions:
    settings = Settings(
        classes={name: ClassConfig(margin=0.0) for name in CLASSES}, redact=RedactConfig(min_margin_px=0)
    )
    return EvaluationOptions(settings, ClassMapping(CLASSES), load_detector=detector.load)


def _stored(orientation: int) -> tuple[bytes, tuple[int, ...], tuple[int, int]]:
    """A file that stands upright by its EXIF, with the box of its square and its size as they are stored."""
    samples = turned(samples_of(3), orientation)
    rows, columns = np.nonzero((samples > 200).all(axis=2))
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return file_of(samples, "png", exif=exif_of(orientation)), box, (samples.shape[1], samples.shape[0])


@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_of_stored_pixels_are_turned_with_the_picture(orientation: int, stated: bool, tmp_path: Path) -> None:
    data, box, size = _stored(orientation)
    plate = _measured(tmp_path, data, box, size if stated else None).classes["license_plate"]
    assert plate.average_precision["AP50"].value == plate.fully_covered.value == 1


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_are_upright_where_only_then_the_size_fits(orientation: int, tmp_path: Path) -> None:
    data, _, _ = _stored(orientation)
    plate = _measured(tmp_path, data, SQUARE, (WIDTH, HEIGHT)).classes["license_plate"]
    assert plate.average_precision["AP50"].value == plate.fully_covered.value == 1


def test_what_only_a_ground_behind_the_picture_shows_is_found(tmp_path: Path) -> None:
    """Black all over; only its opacity draws the square, over white."""
    samples = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    x0, y0, x1, y1 = SQUARE
    samples[..., 3] = 255
    samples[y0:y1, x0:x1, 3] = 0
    plate = _measured(tmp_path, file_of(samples, "png"), SQUARE, None).classes["license_plate"]
    assert plate.recall["own"].value == plate.fully_covered.value == 1


def test_a_picture_has_no_frames_around_it_that_a_faint_box_could_continue(tmp_path: Path) -> None:
    class Recording(RgbSquareDetector):
        def load(self, settings: Settings) -> SquareDetector:
            loaded.append(settings)
            return self

    loaded: list[Settings] = []
    _measured(tmp_path, file_of(samples_of(3), "png"), SQUARE, None)
    measure_images(tmp_path, _options(Recording()))
    assert loaded and not any(settings.track.enabled for settings in loaded)


def test_a_picture_that_the_anonymizer_does_not_take_is_refused_by_name(tmp_path: Path) -> None:
    data = file_of(samples_of(3), "png")
    with pytest.raises(SourceError, match=r"a\.png: the file is cut short"):
        _measured(tmp_path, data[: len(data) // 2], SQUARE, None)


def test_a_failing_detector_is_reported_with_the_picture(tmp_path: Path) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("out of ideas")

    _measured(tmp_path, file_of(samples_of(3), "png"), SQUARE, None)
    with pytest.raises(DetectionError, match=r"a\.png: .*out of ideas"):
        measure_images(tmp_path, _options(SquareDetector(broken)))
