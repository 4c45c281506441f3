"""Leaks over time: which objects of a video would have been seen, how often and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blurscene_stream.evaluate.clips import ClipReport, TrackReport, watch_clip
from blurscene_stream.evaluate.estimates import Estimate, Resampling
from blurscene_stream.evaluate.plan import Plan
from blurscene_stream.evaluate.truth import read_truth
from blurscene_stream.pipeline.detection import Detector

ALL = "all"


@dataclass(frozen=True, slots=True)
class LeakSummary:
    """The tracks of one class, or of all.

    tracks_exposed: share of the tracks that are exposed in at least one frame
    frames_exposed: share of the frames of all tracks in which they are exposed
    longest_ms:     longest exposure of a track, mean over the tracks
    worst_ms:       the longest exposure of all; None when there are no tracks: nothing was measured then
    """

    tracks_exposed: Estimate
    frames_exposed: Estimate
    longest_ms: Estimate
    worst_ms: float | None


@dataclass(frozen=True, slots=True)
class LeakReport:
    """All clips together.

    covered_area:  share of the picture that is covered, mean over the frames
    labelled_area: share of the picture that the labelled objects take up, likewise
    """

    device: str
    clips: int
    frames: int
    seconds: float
    covered_area: float
    labelled_area: float
    classes: dict[str, LeakSummary]
    tracks: tuple[TrackReport, ...]


def measure_leaks(pairs: Sequence[tuple[Path, Path]], plan: Plan) -> LeakReport:
    """Judge every clip as the anonymizer would, and hold it against its truth.

    pairs: videos and their truths, see truth.py
    Raises SourceError when a clip or a truth cannot be read or they do not belong together, StoppedError, and what the
    anonymizer raises.
    """
    truths = [read_truth(truth, plan.names) for _, truth in pairs]
    detector = plan.load_detector(plan.settings)
    clips = []
    with plan.stop_token.defer():
        for (clip, _), truth in zip(pairs, truths, strict=True):
            clips.append(watch_clip(clip, truth, detector, plan))
            plan.progress(len(clips), len(pairs))
    plan.stop_token.raise_if_stopped()
    return _together(clips, detector, plan.resampling)


def _together(clips: Sequence[ClipReport], detector: Detector, resampling: Resampling) -> LeakReport:
    tracks = tuple(track for clip in clips for track in clip.tracks)
    by_class = {name: [track for track in tracks if track.label == name] for name in detector.classes}
    groups = {name: mine for name, mine in by_class.items() if mine} | {ALL: list(tracks)}
    frames = sum(clip.frames for clip in clips)
    return LeakReport(
        device=detector.device_name,
        clips=len(clips),
        frames=frames,
        seconds=sum(clip.seconds for clip in clips),
        covered_area=sum(clip.covered_area for clip in clips) / frames,
        labelled_area=sum(clip.labelled_area for clip in clips) / frames,
        classes={name: summarize(mine, resampling) for name, mine in groups.items()},
        tracks=tracks,
    )


def summarize(tracks: Sequence[TrackReport], resampling: Resampling) -> LeakSummary:
    """All `tracks` together; the intervals are over tracks."""
    ones = np.ones(len(tracks))
    frames = np.array([track.frames for track in tracks], np.float64)
    exposed = np.array([track.exposed_frames for track in tracks], np.float64)
    longest = np.array([track.longest_ms for track in tracks], np.float64)
    return LeakSummary(
        tracks_exposed=resampling.ratio((exposed > 0).astype(np.float64), ones),
        frames_exposed=resampling.ratio(exposed, frames),
        longest_ms=resampling.ratio(longest, ones),
        worst_ms=float(longest.max()) if len(longest) else None,
    )
