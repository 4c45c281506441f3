"""Without a file of detections, what must be covered is found anew: what then is a FAIL, and what is for REVIEW."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from blurscene_stream.verify import Grade, worst
from tests.detectors import CLASSES
from tests.settings import changed
from tests.verify.runs import anonymized, check_of, checked, failed, report_text, settings_of
from tests.verify.scenes import ObjectDetector, frames_changed


class AndMore(ObjectDetector):
    """Sees something else too."""

    def _find(self, frame: Frame) -> Detections:
        more = Detections(
            np.array([[250, 20, 280, 50]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES
        )
        return Detections.concatenate([super()._find(frame), more])


def test_an_honest_run_passes(scene: Path, tmp_path: Path) -> None:
    found = checked(scene, anonymized(scene, tmp_path / "out.mp4"), None)
    assert failed(found) == set(), report_text(found)


def test_more_that_was_covered_is_for_review(scene: Path, tmp_path: Path) -> None:
    target = anonymized(scene, tmp_path / "out.mp4", detector=AndMore())
    found = checked(scene, target, None)
    assert worst(found.checks) is Grade.review, report_text(found)
    assert "picture" in failed(found)


def test_an_object_that_is_shown_is_a_failure(scene: Path, tmp_path: Path) -> None:
    blind = ObjectDetector(seen=lambda number: not 4 <= number <= 7)
    settings = changed(settings_of(), {"track.enabled": False})
    found = checked(scene, anonymized(scene, tmp_path / "out.mp4", settings=settings, detector=blind), None)
    assert worst(found.checks) is Grade.fail, report_text(found)
    assert [place.frame for place in check_of(found, "residual").places] == [4, 5, 6, 7]


def test_a_box_that_only_tracking_put_there_is_for_review(scene: Path, tmp_path: Path) -> None:
    """The object is seen from frame 4 on; tracking covers it before, and the run did not."""
    late = ObjectDetector(seen=lambda number: number >= 4)
    settings = changed(settings_of(), {"track.enabled": False})
    target = anonymized(scene, tmp_path / "out.mp4", settings=settings, detector=late)
    found = checked(scene, target, None, detector=ObjectDetector(seen=lambda number: number >= 4))
    assert check_of(found, "residual").grade is Grade.review, report_text(found)
    assert worst(found.checks) is Grade.review, report_text(found)


def test_other_audio_or_times_are_failures_all_the_same(scene: Path, tmp_path: Path) -> None:
    target = anonymized(scene, tmp_path / "out.mp4")
    found = checked(scene, frames_changed(target, tmp_path / "short.mp4", lambda pictures: pictures[:-1]), None)
    assert check_of(found, "frames").grade is Grade.fail, report_text(found)
