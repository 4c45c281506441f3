"""Measure exposure over time in videos with ground truth, for several settings of the tracker.

    python -m scripts.measure_tracking CLIPS [--min-size-px 0 20] [--try "track.post_roll_s=0.5 ..." ...]

CLIPS is a video or a folder of videos, as for `blurscene-stream evaluate --video`; scripts/make_truth_video.py makes
such clips. Every frame is detected once, for all tables; all later stages are the program's own. Each --try is one line
of a table: settings as --set takes them, as long as they change nothing before the tracker. Each --min-size-px is a
table of its own: the minimum longer side of an object to count, in pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.load import load_settings
from blurscene_stream.config.schema import Settings, class_configs
from blurscene_stream.evaluate import ClassMapping, EvaluationOptions, LeakReport, find_video_pairs, measure_leaks
from blurscene_stream.evaluate.leaks import ALL_CLASSES
from blurscene_stream.evaluate.report import markdown_table
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detector, load_configured_detector

MIN_SCORE_RATIO = 0.1  # of cached low-confidence boxes, to the threshold of their class
UPRIGHT = "detect.variants.rotations=none"  # a check for turned objects would be a second answer for a frame
HEAD = ["settings", "tracks ever exposed", "frames exposed", "longest, mean, ms", "worst, ms", "area, %"]


class CachingDetector:
    """Detector that caches detections by frame order, to replay them with other settings."""

    def __init__(self, detector: Detector) -> None:
        self.class_names, self.device_name = detector.class_names, detector.device_name
        self._detector = detector
        self._cached: list[Detections] = []
        self._next = 0
        self._settings = Settings()

    def replay(self, settings: Settings) -> CachingDetector:
        """Start over at the first frame, with boxes above the thresholds of `settings`."""
        self._next, self._settings = 0, settings
        return self

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, in order."""
        end = self._next + len(frames)
        if end > len(self._cached):
            self._cached += self._detector(frames)
        detections, self._next = self._cached[self._next : end], end
        return [self._above_threshold(each) for each in detections]

    def _above_threshold(self, found: Detections) -> Detections:
        track = self._settings.track
        ratio = track.low_score_ratio if track.enabled else 1.0
        min_scores = np.array(
            [one.threshold * ratio for one in class_configs(self._settings, self.class_names)], np.float32
        )
        return found[(found.origins == Origin.detected) | (found.scores > min_scores[found.class_ids])]


def load_caching_detector() -> CachingDetector:
    """Load the default detector, with all low-confidence boxes that any settings may use."""
    base = load_settings([UPRIGHT])
    return CachingDetector(
        load_configured_detector(replace(base, track=replace(base.track, low_score_ratio=MIN_SCORE_RATIO)))
    )


def measure(
    pairs: Sequence[tuple[Path, Path]], tries: Sequence[str], min_size_px: float, detector: CachingDetector
) -> list[tuple[str, LeakReport]]:
    """Measure the exposure with each of the settings."""

    def report(settings: Settings) -> LeakReport:
        loader: Callable[[Settings], Detector] = detector.replay
        names = ClassMapping(list(settings.classes), ["*="])
        return measure_leaks(pairs, EvaluationOptions(settings, names, min_size_px=min_size_px, load_detector=loader))

    return [(text, report(load_settings([UPRIGHT, *text.split()]))) for text in tries]


def row(text: str, report: LeakReport) -> list[str]:
    """Format a line of the table."""
    every = report.classes[ALL_CLASSES]
    shares = (every.tracks_exposed, every.frames_exposed)
    cells = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in shares]
    return [
        *(text.replace("track.", "") or "defaults", *cells),
        *(f"{every.longest_ms.value:.0f}", f"{every.worst_ms:.0f}", f"{100 * report.covered_area:.2f}"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--min-size-px", type=float, nargs="+", default=[0.0])
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="SETTINGS")
    given = parser.parse_args(arguments)
    pairs, detector = find_video_pairs(given.clips, None), load_caching_detector()
    for min_size_px in given.min_size_px:
        reports = measure(pairs, ["track.enabled=false", "", *given.tries], min_size_px, detector)
        first = reports[0][1]
        tracks = first.classes[ALL_CLASSES].tracks_exposed.count
        counted = f"{tracks} tracks that reach {min_size_px:g} pixels"
        print(f"{first.clips} clips, {first.frames} frames, {counted}, on {first.device}\n")
        print(markdown_table([HEAD, *(row(*each) for each in reports)]))


if __name__ == "__main__":
    main()
