"""Exposure over time of the tracks in one clip: its frames as the anonymizer covers them, against its ground truth."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.address import Address
from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.annotations import FrameGroundTruth, clip_boxes, has_area
from blurscene_stream.evaluate.datasets.jsonl import check_inside_picture
from blurscene_stream.evaluate.matching import MIN_COVERED_SHARE, covered_shares
from blurscene_stream.evaluate.options import EvaluationOptions
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline.detection import Detector
from blurscene_stream.pipeline.stages import DetectorSource, redacted
from blurscene_stream.redact import Redactor, cover_mask
from blurscene_stream.source import open_source

MAX_TIME_DIFFERENCE_S = 0.02  # between a frame and its ground truth


@dataclass(slots=True)
class TrackExposure:
    """Frames of one track in a clip.

    class_id: of the detector
    frames:   frame numbers in which the object counts, rising
    exposed:  those of them in which it is exposed
    """

    class_id: int
    frames: list[int] = field(default_factory=list)
    exposed: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrackReport:
    """Exposure of one track.

    frames:         number of frames in which the object counts
    exposed_frames: of them, frames in which it is exposed
    longest_ms:     its longest exposure
    """

    clip: str
    track_id: str
    class_name: str
    frames: int
    exposed_frames: int
    longest_ms: float


@dataclass(frozen=True, slots=True)
class ClipReport:
    """Exposure in one clip.

    covered_area:  covered share of the picture, summed over the frames
    labelled_area: share of the picture inside annotated boxes, likewise
    """

    frames: int
    seconds: float
    covered_area: float
    labelled_area: float
    tracks: tuple[TrackReport, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CoveredFrame:
    """Cover mask of one frame.

    time_s:        seconds since the first frame
    nominal_end_s: end of the frame by the stream's frame rate
    mask:          bool (H, W), covered pixels
    """

    time_s: float
    nominal_end_s: float
    mask: NDArray[np.bool_]


def covered_frames(clip: Path, detector: Detector, settings: Settings) -> Generator[CoveredFrame]:
    """Yield the cover mask of every frame, by the anonymizer's own source, detector, tracker and redaction.

    Raises what these raise.
    """
    redactor = Redactor(settings, detector.class_names)
    with open_source(Address(str(clip)), settings) as source:
        picture, time_base = source.info.picture, source.info.time_base
        nominal_s = 1 / (source.info.frame_rate or Fraction(25))
        first_pts: int | None = None
        detected = DetectorSource(detector, settings).detected(source.items(), source.info)
        with closing(redacted(detected, redactor)) as items:
            for item in items:
                if isinstance(item, RedactedFrame):
                    first_pts = item.pts if first_pts is None else first_pts
                    time_s = (item.pts - first_pts) * time_base
                    regions = redactor.regions(picture, item.detections, item.corrupt)
                    yield CoveredFrame(float(time_s), float(time_s + nominal_s), cover_mask(picture, regions))


def measure_clip(
    clip: Path, truth: Sequence[FrameGroundTruth], detector: Detector, options: EvaluationOptions
) -> ClipReport:
    """Measure the exposure of every track of a clip.

    Raises SourceError when frames and ground truth do not belong together, StoppedError after a frame.
    """
    exposure = _ClipExposure()
    with closing(covered_frames(clip, detector, options.settings)) as frames:
        for number, frame in enumerate(frames):
            if number == 0:
                check_inside_picture(truth, frame.mask.shape[1], frame.mask.shape[0])
            _check_time(clip, number, frame.time_s, truth)
            exposure.add(number, frame, truth[number], options)
            options.stop_token.raise_if_stopped()
    if len(exposure.times_s) != len(truth):
        raise SourceError(f"{clip}: has {len(exposure.times_s)} frames, its ground truth {len(truth)}")
    return exposure.report(str(clip), detector.class_names)


class _ClipExposure:
    """Exposure accumulated frame by frame."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._nominal_end_s = 0.0
        self._tracks: dict[str, TrackExposure] = {}
        self._areas = np.zeros(2)

    def add(self, number: int, frame: CoveredFrame, truth: FrameGroundTruth, options: EvaluationOptions) -> None:
        self.times_s.append(frame.time_s)
        self._nominal_end_s = frame.nominal_end_s
        height, width = frame.mask.shape
        boxes = clip_boxes(truth.boxes, width, height)
        shown = has_area(boxes)
        exposed = np.zeros(len(boxes), np.bool_)
        exposed[shown] = covered_shares(frame.mask, boxes[shown]) < MIN_COVERED_SHARE
        self._areas += frame.mask.mean(), _area_share(frame.mask.shape, boxes)
        large = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1, initial=0) >= options.min_size_px
        for index in np.flatnonzero(shown & large & (truth.visible >= options.min_visible)).tolist():
            track = self._tracks.setdefault(truth.track_ids[index], TrackExposure(int(truth.class_ids[index])))
            track.frames.append(number)
            if exposed[index]:
                track.exposed.append(number)

    def report(self, clip: str, class_names: Sequence[str]) -> ClipReport:
        ends_s = frame_ends_s(self.times_s, self._nominal_end_s - self.times_s[-1])
        tracks = tuple(
            TrackReport(
                *(clip, track_id, class_names[track.class_id], len(track.frames), len(track.exposed)),
                longest_ms=longest_exposure_ms(track.exposed, self.times_s, ends_s),
            )
            for track_id, track in self._tracks.items()
        )
        covered_area, labelled_area = self._areas.tolist()
        return ClipReport(len(self.times_s), ends_s[-1], covered_area, labelled_area, tracks)


def frame_ends_s(times_s: Sequence[float], single_frame_s: float) -> list[float]:
    """Return when each frame leaves the screen: when the next one comes; the last lasts as long as the one before it.

    single_frame_s: duration of a frame that is the only one
    """
    last_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else single_frame_s
    return [*times_s[1:], times_s[-1] + last_s]


def longest_exposure_ms(exposed: Sequence[int], times_s: Sequence[float], ends_s: Sequence[float]) -> float:
    """Return the longest time on screen of consecutive frames in `exposed` (rising), in milliseconds.

    A frame in which the object does not count ends an exposure: nobody sees it then.
    """
    longest = start = 0.0
    for index, frame in enumerate(exposed):
        if index == 0 or exposed[index - 1] != frame - 1:
            start = times_s[frame]
        longest = max(longest, ends_s[frame] - start)
    return 1000 * longest


def _check_time(clip: Path, number: int, time_s: float, truth: Sequence[FrameGroundTruth]) -> None:
    if number >= len(truth):
        raise SourceError(f"{clip}: has more frames than its ground truth, which has {len(truth)}")
    truth_s = truth[number].pts_s - truth[0].pts_s
    if abs(time_s - truth_s) > MAX_TIME_DIFFERENCE_S:
        raise SourceError(f"{clip}: frame {number} is at {time_s:.3f} s, in its ground truth at {truth_s:.3f} s")


def _area_share(shape: tuple[int, ...], boxes: Boxes) -> float:
    """Return the share of the picture inside the boxes."""
    inside = np.zeros(shape, np.bool_)
    for x0, y0, x1, y1 in boxes.round().astype(int).tolist():
        inside[y0:y1, x0:x1] = True
    return float(inside.mean())
