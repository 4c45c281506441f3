"""What a request chooses gives what a run with these settings gives."""

from __future__ import annotations

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect.detector import Detector
from blurscene_stream.detect.model import Candidates
from blurscene_stream.server.options import FilteringDetector, settings_of_detector
from tests.settings import changed


def merged(settings: Settings, candidates: Candidates) -> Detections:
    """What a detector with `settings` makes of boxes that no threshold has touched."""
    thresholds = np.array([config.threshold for config in settings.classes.values()], np.float32)
    ratio = settings.track.low_score_ratio
    seen = candidates[candidates.scores > thresholds[candidates.class_ids] * np.float32(ratio)]
    return Detector([], settings).merge(seen, 0, [1, 1], settings.detect.merge)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5, 0.9])
def test_a_filtered_low_threshold_is_the_high_one(threshold: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 60, (200, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + rng.uniform(5, 40, (200, 2)).astype(np.float32)], axis=1)
    scores, class_ids = rng.uniform(0, 1, 200).astype(np.float32), rng.integers(0, 2, 200)
    candidates = Candidates(np.zeros(200, np.int64), class_ids, scores, boxes)
    settings = changed(Settings(), {"classes.face.threshold": threshold, "classes.license_plate.threshold": threshold})
    low = merged(settings_of_detector(settings), candidates)
    (filtered,) = FilteringDetector(lambda _: [low], settings)([])  # type: ignore[arg-type]
    direct = merged(settings, candidates)
    assert len(direct) > 3

    def rows(found: Detections) -> list[tuple[float, ...]]:
        columns = (found.class_ids, found.origins, found.scores, *found.xyxy.T)
        return sorted(zip(*(column.tolist() for column in columns), strict=True))

    assert rows(filtered) == rows(direct)
