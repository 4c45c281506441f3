"""Leaks from videos: how many tracks are ever exposed, how often and for how long, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blurscene_stream.evaluate.bootstrap import Bootstrap, Estimate
from blurscene_stream.evaluate.datasets.jsonl import read_video_ground_truth
from blurscene_stream.evaluate.exposure import ClipReport, TrackReport, measure_clip
from blurscene_stream.evaluate.options import EvaluationOptions
from blurscene_stream.pipeline.detection import Detector

ALL_CLASSES = "all"


@dataclass(frozen=True, slots=True)
class LeakSummary:
    """Exposure of the tracks of one class, or of all.

    tracks_exposed: share of the tracks that are exposed in at least one frame
    frames_exposed: share of the frames of all tracks in which they are exposed
    longest_ms:     longest exposure of a track, mean over the tracks
    worst_ms:       longest exposure of all; None without tracks, where nothing was measured
    """

    tracks_exposed: Estimate
    frames_exposed: Estimate
    longest_ms: Estimate
    worst_ms: float | None


@dataclass(frozen=True, slots=True)
class LeakReport:
    """Exposure in all clips.

    covered_area:  covered share of the picture, mean over the frames
    labelled_area: share of the picture inside annotated boxes, likewise
    """

    device: str
    clips: int
    frames: int
    seconds: float
    covered_area: float
    labelled_area: float
    classes: dict[str, LeakSummary]
    tracks: tuple[TrackReport, ...]


def measure_leaks(pairs: Sequence[tuple[Path, Path]], options: EvaluationOptions) -> LeakReport:
    """Run every clip through the anonymizer's stages and measure the exposure of its tracks.

    pairs: videos and their ground truth, see datasets/jsonl.py
    Raises SourceError when a clip or its ground truth cannot be read or they do not belong together, StoppedError, and
    what the anonymizer raises.
    """
    truths = [read_video_ground_truth(truth, options.class_mapping) for _, truth in pairs]
    detector = options.load_detector(options.settings)
    clips = []
    with options.stop_token.defer():
        for (clip, _), truth in zip(pairs, truths, strict=True):
            clips.append(measure_clip(clip, truth, detector, options))
            options.progress(len(clips), len(pairs))
    options.stop_token.raise_if_stopped()
    return _leak_report(clips, detector, options.bootstrap)


def _leak_report(clips: Sequence[ClipReport], detector: Detector, bootstrap: Bootstrap) -> LeakReport:
    tracks = tuple(track for clip in clips for track in clip.tracks)
    by_class = {name: [track for track in tracks if track.class_name == name] for name in detector.class_names}
    groups = {name: group for name, group in by_class.items() if group} | {ALL_CLASSES: list(tracks)}
    frames = sum(clip.frames for clip in clips)
    return LeakReport(
        device=detector.device_name,
        clips=len(clips),
        frames=frames,
        seconds=sum(clip.seconds for clip in clips),
        covered_area=sum(clip.covered_area for clip in clips) / frames,
        labelled_area=sum(clip.labelled_area for clip in clips) / frames,
        classes={name: summarize(group, bootstrap) for name, group in groups.items()},
        tracks=tracks,
    )


def summarize(tracks: Sequence[TrackReport], bootstrap: Bootstrap) -> LeakSummary:
    """Summarize tracks; the bootstrap draws tracks."""
    ones = np.ones(len(tracks))
    frames = np.array([track.frames for track in tracks], np.float64)
    exposed = np.array([track.exposed_frames for track in tracks], np.float64)
    longest = np.array([track.longest_ms for track in tracks], np.float64)
    return LeakSummary(
        tracks_exposed=bootstrap.ratio((exposed > 0).astype(np.float64), ones),
        frames_exposed=bootstrap.ratio(exposed, frames),
        longest_ms=bootstrap.ratio(longest, ones),
        worst_ms=float(longest.max()) if len(longest) else None,
    )
