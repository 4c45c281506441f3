"""Prints what leaks from videos with known truth, with one setting of the tracker after the other.

    python -m scripts.measure_tracking CLIPS [--min-size-px 0 20] [--try "track.post_roll_s=0.5 track.pre_roll_s=0" ...]

CLIPS is what `blurscene-stream evaluate --video` takes; scripts/make_truth_video.py makes such clips. The network looks
at every frame once, for all tables; everything behind it is the program's own. Each --try is one line of a table:
settings as --set takes them, as long as they change nothing that the network sees. Each --min-size-px is a table of its
own: from what longer side in pixels on an object counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.load import load_settings
from blurscene_stream.config.schema import Settings, chosen
from blurscene_stream.evaluate import LeakReport, Names, Plan, find_pairs, measure_leaks
from blurscene_stream.evaluate.leaks import ALL
from blurscene_stream.evaluate.report import markdown
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detector, load_torch_detector

LEAST_SHARE = 0.1  # of a class's threshold: what is remembered of doubtful boxes
HEAD = ["settings", "tracks ever exposed", "frames exposed", "longest, mean, ms", "worst, ms", "area, %"]


class Remembering:
    """Asks a detector once for each frame, in the order in which frames come, and repeats its answers then."""

    def __init__(self, detector: Detector) -> None:
        self.classes, self.device_name = detector.classes, detector.device_name
        self._detector = detector
        self._answers: list[Detections] = []
        self._next = 0
        self._settings = Settings()

    def again(self, settings: Settings) -> Remembering:
        """From the first frame, with what these settings would have let through."""
        self._next, self._settings = 0, settings
        return self

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """What is in each frame."""
        end = self._next + len(frames)
        if end > len(self._answers):
            self._answers += self._detector(frames)
        answers, self._next = self._answers[self._next : end], end
        return [self._let_through(answer) for answer in answers]

    def _let_through(self, found: Detections) -> Detections:
        track = self._settings.track
        share = track.low_score_ratio if track.enabled else 1.0
        least = np.array([one.threshold * share for one in chosen(self._settings, self.classes)], np.float32)
        return found[(found.origins == Origin.detected) | (found.scores > least[found.class_ids])]


def remembering_detector() -> Remembering:
    """The detector of the defaults, with all doubtful boxes that any setting may let through."""
    base = load_settings().settings
    return Remembering(load_torch_detector(replace(base, track=replace(base.track, low_score_ratio=LEAST_SHARE))))


def measured(
    pairs: Sequence[tuple[Path, Path]], tries: Sequence[str], least_px: float, remembering: Remembering
) -> list[tuple[str, LeakReport]]:
    """What leaks with each of the settings."""

    def report(settings: Settings) -> LeakReport:
        loader: Callable[[Settings], Detector] = remembering.again
        names = Names(list(settings.classes), ["*="])
        return measure_leaks(pairs, Plan(settings, names, least_px=least_px, load_detector=loader))

    return [(text, report(load_settings(None, text.split()).settings)) for text in tries]


def row(text: str, report: LeakReport) -> list[str]:
    """A line of the table."""
    every = report.classes[ALL]
    shares = (every.tracks_exposed, every.frames_exposed)
    cells = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in shares]
    return [
        *(text.replace("track.", "") or "defaults", *cells),
        *(f"{every.longest_ms.value:.0f}", f"{every.worst_ms:.0f}", f"{100 * report.covered_area:.2f}"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--min-size-px", type=float, nargs="+", default=[0.0])
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="SETTINGS")
    given = parser.parse_args(arguments)
    pairs, detector = find_pairs(given.clips, None), remembering_detector()
    for least_px in given.min_size_px:
        reports = measured(pairs, ["track.enabled=false", "", *given.tries], least_px, detector)
        first = reports[0][1]
        tracks = first.classes[ALL].tracks_exposed.count
        seen = f"{tracks} tracks that reach {least_px:g} pixels"
        print(f"{first.clips} clips, {first.frames} frames, {seen}, on {first.device}\n")
        print(markdown([HEAD, *(row(*each) for each in reports)]))


if __name__ == "__main__":
    main()
