"""Watches one clip as the anonymizer would show it, and holds it against its truth."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.address import Address
from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.cover import COVERED, covered_shares
from blurscene_stream.evaluate.exposure import TrackExposure, frame_ends_s, longest_ms
from blurscene_stream.evaluate.plan import Plan
from blurscene_stream.evaluate.truth import FrameTruth, inside, refuse_outside, with_area
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline.detection import Detector
from blurscene_stream.pipeline.stages import DetectorSource, redacted
from blurscene_stream.redact import Redactor, cover_mask
from blurscene_stream.source import open_source

SAME_TIME_S = 0.02


@dataclass(frozen=True, slots=True)
class TrackReport:
    """One object of a clip.

    frames:         frames in which it counts
    exposed_frames: those of them in which it is exposed
    longest_ms:     its longest exposure
    """

    clip: str
    track: str
    label: str
    frames: int
    exposed_frames: int
    longest_ms: float


@dataclass(frozen=True, slots=True)
class ClipReport:
    """One clip.

    covered_area:  share of the picture that is covered, summed over the frames
    labelled_area: share of the picture that all labelled objects take up, likewise
    """

    frames: int
    seconds: float
    covered_area: float
    labelled_area: float
    tracks: tuple[TrackReport, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CoveredFrame:
    """What the anonymizer would show: when, until when if nothing followed, and which pixels (H, W) are covered."""

    time_s: float
    usual_end_s: float
    mask: NDArray[np.bool_]


def covered_frames(clip: Path, detector: Detector, settings: Settings) -> Generator[CoveredFrame]:
    """Every frame of the clip, after the anonymizer's own source, detector, tracker and redaction.

    Raises what these raise.
    """
    redactor = Redactor(settings, detector.classes)
    with open_source(Address(str(clip)), settings) as source:
        picture, ticks = source.info.picture, source.info.time_base
        usual_s = 1 / (source.info.frame_rate or Fraction(25))
        first: int | None = None
        known = DetectorSource(detector, settings).detected(source.items(), source.info)
        with closing(redacted(known, redactor)) as items:
            for item in items:
                if isinstance(item, RedactedFrame):
                    first = item.pts if first is None else first
                    time_s = (item.pts - first) * ticks
                    regions = redactor.regions(picture, item.detections, item.corrupt)
                    yield CoveredFrame(float(time_s), float(time_s + usual_s), cover_mask(picture, regions))


def watch_clip(clip: Path, truth: Sequence[FrameTruth], detector: Detector, plan: Plan) -> ClipReport:
    """What is exposed in the clip when `detector` judges it.

    Raises SourceError when its frames are not those of the truth, or the truth is of another picture; StoppedError
    after a frame.
    """
    tally = _Tally()
    with closing(covered_frames(clip, detector, plan.settings)) as frames:
        for number, frame in enumerate(frames):
            if number == 0:
                refuse_outside(truth, frame.mask.shape[1], frame.mask.shape[0])
            _check_time(clip, number, frame.time_s, truth)
            tally.add(number, frame, truth[number], plan)
            plan.stop_token.raise_if_stopped()
    if len(tally.times_s) != len(truth):
        raise SourceError(f"{clip}: has {len(tally.times_s)} frames, its truth {len(truth)}")
    return tally.report(str(clip), detector.classes)


class _Tally:
    """What was seen of a clip so far."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._usual_end_s = 0.0
        self._tracks: dict[str, TrackExposure] = {}
        self._areas = np.zeros(2)

    def add(self, number: int, frame: CoveredFrame, truth: FrameTruth, plan: Plan) -> None:
        self.times_s.append(frame.time_s)
        self._usual_end_s = frame.usual_end_s
        height, width = frame.mask.shape
        boxes = inside(truth.boxes, width, height)
        shown = with_area(boxes)
        exposed = np.zeros(len(boxes), np.bool_)
        exposed[shown] = covered_shares(frame.mask, boxes[shown]) < COVERED
        self._areas += frame.mask.mean(), _area(frame.mask, boxes)
        large = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1, initial=0) >= plan.least_px
        for place in np.flatnonzero(shown & large & (truth.visible >= plan.least_visible)).tolist():
            track = self._tracks.setdefault(truth.tracks[place], TrackExposure(int(truth.labels[place])))
            track.frames.append(number)
            if exposed[place]:
                track.exposed.append(number)

    def report(self, clip: str, classes: Sequence[str]) -> ClipReport:
        ends_s = frame_ends_s(self.times_s, self._usual_end_s - self.times_s[-1])
        tracks = tuple(
            TrackReport(
                *(clip, name, classes[track.label], len(track.frames), len(track.exposed)),
                longest_ms=longest_ms(track.exposed, self.times_s, ends_s),
            )
            for name, track in self._tracks.items()
        )
        covered_area, labelled_area = self._areas.tolist()
        return ClipReport(len(self.times_s), ends_s[-1], covered_area, labelled_area, tracks)


def _check_time(clip: Path, number: int, time_s: float, truth: Sequence[FrameTruth]) -> None:
    if number >= len(truth):
        raise SourceError(f"{clip}: has more frames than its truth, which has {len(truth)}")
    stated_s = truth[number].pts_s - truth[0].pts_s
    if abs(time_s - stated_s) > SAME_TIME_S:
        raise SourceError(f"{clip}: frame {number} comes at {time_s:.3f} s, in its truth at {stated_s:.3f} s")


def _area(mask: NDArray[np.bool_], boxes: Boxes) -> float:
    """The share of the picture that the boxes take up together."""
    taken = np.zeros_like(mask)
    for x0, y0, x1, y1 in boxes.round().astype(int).tolist():
        taken[y0:y1, x0:x1] = True
    return float(taken.mean())
