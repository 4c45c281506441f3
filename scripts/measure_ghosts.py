#!/usr/bin/env python3
"""Measure how far traces of what was hidden are from what codecs leave by themselves: the figures of verify/ghost.py.

For each method the clip is covered as a file of detections says, and some of the raw pictures is mixed into the
output; printed are percentiles of the correlation in windows of 8 frames, and how many of them are told as ghosts.

    blurscene-stream clip.mp4 out.mp4 --detections clip.jsonl
    python scripts/measure_ghosts.py clip.mp4 clip.jsonl --crf 20
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from blurscene_stream.address import Address
from blurscene_stream.config import load_settings
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, render_video
from blurscene_stream.verify import VerifyJob, ghost, verify_video

SHARES = (0.0, 0.05, 0.1, 0.15)
PERCENTILES = (0, 5, 25, 50, 75, 95, 100)


def main() -> None:
    """Print a line for each method and share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("detections", type=Path)
    parser.add_argument("--crf", type=int, default=20)
    given = parser.parse_args()
    print("method  share  windows  told   correlation, percentiles", *PERCENTILES)
    with tempfile.TemporaryDirectory() as folder:
        for method in RedactMethod:
            settings = load_settings({"redact.method": method.name, "encode.crf": given.crf})
            target = Path(folder) / "out.mp4"
            job = Job(Address(str(given.clip)), Address(str(target)), True)
            render_video(job, given.detections, settings, Callbacks(), StopToken())
            for share in SHARES:
                mixed = _mixed(given.clip, target, Path(folder) / "mixed.mp4", share, given.crf)
                traces = list(_traces(given.clip, mixed if share else target, given.detections, settings))
                told = np.mean([found for _, found in traces]) if traces else 0
                figures = np.percentile([value for value, _ in traces] or [0.0], PERCENTILES).tolist()
                print(f"{method.name:7} {share:.2f} {len(traces):8} {told:6.1%}  ", *(f"{one:6.2f}" for one in figures))


def _mixed(raw: Path, covered: Path, output: Path, share: float, crf: int) -> Path:
    """Mix `share` of the raw pictures into the covered ones."""
    with av.open(str(raw)) as one, av.open(str(covered)) as other, av.open(str(output), "w") as new:
        like = other.streams.video[0]
        video = new.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": str(crf)})
        video.width, video.height, video.pix_fmt = like.width, like.height, "yuv420p"
        video.codec_context.time_base = video.time_base = cast(Fraction, like.time_base)
        for before, after in zip(one.decode(video=0), other.decode(video=0), strict=True):
            pair = [frame.to_ndarray(format="yuv420p").astype(np.float32) for frame in (before, after)]
            frame = av.VideoFrame.from_ndarray(
                np.round(share * pair[0] + (1 - share) * pair[1]).astype(np.uint8), format="yuv420p"
            )
            frame.pts, frame.time_base = after.pts, after.time_base
            new.mux(video.encode(frame))
        new.mux(video.encode(None))
    return output


def _traces(clip: Path, output: Path, detections: Path, settings: Settings) -> Iterator[tuple[float, bool]]:
    """Yield the correlation of each window that hides something, and whether it is told as a ghost."""
    found: list[tuple[float, bool]] = []
    shows_through = ghost.shows_through

    def measure(window: ghost.Window, noise_level: float) -> bool:
        trace = ghost.trace_of(window)
        if trace is not None:
            found.append((trace.correlation, shows_through(window, noise_level)))
        return False

    ghost.shows_through = measure
    try:
        verify_video(VerifyJob(Address(str(clip)), Address(str(output)), settings, detections, every=0))
    finally:
        ghost.shows_through = shows_through
    yield from found


if __name__ == "__main__":
    main()
