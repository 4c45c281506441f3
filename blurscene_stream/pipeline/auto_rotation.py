"""Turned views where they are needed: `detect.variants.rotations: auto`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from blurscene_stream.boxes import Detections, smaller_share
from blurscene_stream.config.schema import ROTATIONS, RotationMode, VariantsConfig
from blurscene_stream.frames import Frame, ScanMode
from blurscene_stream.pipeline.detection import Detect, detect_frames

log = logging.getLogger(__name__)

CHECK_SCORE = 0.9
"""Score from which on a box of the check counts; docs/accuracy.md says how these four were chosen."""

MIN_SCORE = 0.97
"""Score that a box must have in a turned view of full size, for the turned views to stay on."""

MIN_SHARE = 0.5
"""Share of the smaller box that both views have in common, from which on they show the same object.

Not the IoU: the turned box of a wide plate is a tall one, or a large one around it.
"""

MIN_SCORE_RATIO = 0.7
"""Share of the score in the turned view that the same object must score upright, to be as well seen there."""


def with_auto_rotation(
    detect: Detect, variants: VariantsConfig, name: str, time_base: Fraction | None = None
) -> Detect:
    """Return `detect` for the frames of one stream, or of one image, with turned views where `rotations` is auto.

    name:      of the stream or image, for the log
    time_base: seconds a tick of Frame.pts; None for an image, every frame of which is checked
    """
    if variants.rotations is not RotationMode.auto:
        return detect
    interval_s = 0.0 if time_base is None else variants.rotation_check_interval_s
    return _AutoRotation(detect, name, time_base or Fraction(0), interval_s)


class _AutoRotation:
    """Detects upright, and from a check on that finds what shows only turned, also turned, until the scene ends.

    Checked are the first frame of each scene, before it is passed on, and then one frame every `interval_s`: at a part
    of its size, and where that finds something at full size, for hands and lamps often look like a face when they are
    small and turned. A scene ends at a cut and at a corrupt frame. What is scanned depends on the frames up to each one
    alone, not on how they come in batches.
    """

    def __init__(self, detect: Detect, name: str, time_base: Fraction, interval_s: float) -> None:
        self._detect, self._name = detect, name
        self._time_base, self._interval_s = time_base, interval_s
        self._turned = False
        self._last_check_s: float | None = None  # in this scene

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        found: list[Detections] = []
        for scene in _scenes(frames):
            if scene[0].cut or scene[0].corrupt:
                self._turned, self._last_check_s = False, None
            found += self._detect_turned(scene) if self._turned else self._detect_and_check(scene)
        return found

    def _detect_and_check(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect in frames of one scene, whose turned views are not scanned so far."""
        found = detect_frames(frames, self._detect)
        for index, frame in enumerate(frames):
            if self._is_due(frame):
                self._last_check_s = self._time_s(frame)
                if (turned := self._check(frame, found[index])) is not None:
                    self._log(frame)
                    self._turned = True
                    return [*found[:index], turned, *self._detect_turned(frames[index + 1 :])]
        return found

    def _check(self, frame: Frame, upright: Detections) -> Detections | None:
        """Return what a frame shows upright and turned, None where turning it shows nothing more."""
        (quick,) = detect_frames([replace(frame, scan_mode=ScanMode.only_turned)], self._detect)
        if not _shows_more(quick, upright, CHECK_SCORE):
            return None
        (turned,) = self._detect_turned([frame])
        return turned if _shows_more(turned, upright, MIN_SCORE) else None

    def _detect_turned(self, frames: Sequence[Frame]) -> list[Detections]:
        if not frames:
            return []
        return detect_frames([replace(frame, scan_mode=ScanMode.full_turned) for frame in frames], self._detect)

    def _is_due(self, frame: Frame) -> bool:
        if frame.corrupt:
            return False
        return self._last_check_s is None or self._time_s(frame) - self._last_check_s >= self._interval_s

    def _time_s(self, frame: Frame) -> float:
        return float(frame.pts * self._time_base)

    def _log(self, frame: Frame) -> None:
        where, until = "", ""
        if self._time_base:
            where, until = f"frame {frame.number} ({self._time_s(frame):.1f} s): ", ", until the scene ends"
        *some, last = map(str, ROTATIONS)
        degrees = f"{', '.join(some)} and {last} degrees"
        text = f"something shows only when the picture is turned: it is scanned turned by {degrees} as well"
        log.info("%s", f"{self._name}: {where}{text}{until}")


def _scenes(frames: Sequence[Frame]) -> list[Sequence[Frame]]:
    """Split frames where a scene begins: at each cut, and before and behind each corrupt frame."""
    starts = [
        index
        for index, frame in enumerate(frames)
        if index == 0 or frame.cut or frame.corrupt or frames[index - 1].corrupt
    ]
    return [frames[start:stop] for start, stop in zip(starts, [*starts[1:], len(frames)], strict=True)]


def _shows_more(turned: Detections, upright: Detections, min_score: float) -> bool:
    """Return whether a box with that score of the turned views is missing in the upright view, or much weaker there."""
    counted = turned.confident()
    counted = counted[counted.scores >= min_score]
    same = smaller_share(counted.xyxy, upright.xyxy) >= MIN_SHARE
    upright_scores = (same * upright.scores).max(axis=1, initial=0)
    return bool((upright_scores < MIN_SCORE_RATIO * counted.scores).any())
