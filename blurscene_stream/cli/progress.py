"""Progress bar of a run, and its summary in one line or as JSON fields."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

    from blurscene_stream.boxes import Detections
    from blurscene_stream.frames import RedactedFrame
    from blurscene_stream.pipeline import Summary
    from blurscene_stream.pipeline.image import ImageSummary
    from blurscene_stream.streams import StreamInfo

SHORT_CLASS_NAMES = {"license_plate": "plate"}


class ProgressBar:
    """Count, rate, time left and boxes found, on stderr; nothing when that is not a terminal."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._found: Counter[str] = Counter()

    def start_video(self, info: StreamInfo) -> None:
        """Show the bar; the number of frames is known or estimated for files, and unknown for cameras."""
        estimate = round(info.duration_s * float(info.frame_rate)) if info.frame_rate else 0
        self.start(info.frame_count or estimate or None, "frames")

    def start(self, total: int | None, unit: str) -> None:
        """Show the bar, if it is enabled."""
        if self._enabled:
            from tqdm import tqdm  # noqa: PLC0415  # a run without a bar does not need it

            tqdm.monitor_interval = 0  # no thread of its own
            self._bar = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, leave=False)

    def add_frame(self, frame: RedactedFrame) -> None:
        """Count one frame more."""
        self.add(frame.detections.observed())

    def add(self, detections: Detections) -> None:
        """Count one frame or image more, and its detections."""
        if self._bar is None:
            return
        self._found.update(detections.class_names[label] for label in detections.class_ids)
        self._bar.set_postfix_str(format_counts(self._found), refresh=False)
        self._bar.update()

    def update(self, done: int, total: int) -> None:
        """Set how much of `total` is done; shows the bar the first time."""
        if self._bar is None:
            self.start(total, "done")
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def format_counts(found: Counter[str]) -> str:
    """Format boxes of each class: "810 faces, 1 plate"."""
    parts = []
    for name, count in found.items():
        shown = SHORT_CLASS_NAMES.get(name, name.replace("_", " "))
        parts.append(f"{count:,} {shown}{'' if count == 1 else 's'}")
    return ", ".join(parts) or "nothing found"


def summary_line(summary: Summary) -> str:
    """Format a run over a video in one line."""
    rate = summary.frames / summary.seconds if summary.seconds else 0.0
    line = f"{summary.target}: {summary.frames:,} frames in {summary.seconds:.1f} s ({rate:.1f} frames/s)"
    line += f", {format_counts(summary.found)}"
    if summary.added:
        line += f", and {summary.added:,} boxes between and around them"
    if summary.covered_whole:
        are = "picture was" if summary.covered_whole == 1 else "pictures were"
        line += f"; {summary.covered_whole:,} damaged {are} covered whole"
    if summary.dropped_frames:
        line += f"; {summary.dropped_frames:,} late or damaged pictures were dropped whole"
    if summary.left_out:
        line += f"; left out: {', '.join(summary.left_out)}"
    if summary.audit:
        line += f"; audit entry {summary.audit}"
    return line


def summary_fields(summary: Summary) -> dict[str, object]:
    """Return a run over a video as JSON fields."""
    return {
        "event": "done",
        "target": summary.target,
        "device": summary.device,
        "frames": summary.frames,
        "seconds": round(summary.seconds, 3),
        "found": dict(summary.found),
        "added": summary.added,
        "covered_whole": summary.covered_whole,
        "dropped_frames": summary.dropped_frames,
        "left_out": list(summary.left_out),
        "ended_early": summary.ended_early or None,
        "audit": summary.audit or None,
    }


def image_summary_line(summary: ImageSummary) -> str:
    """Format a run over images in one line."""
    count = f"{summary.images:,} picture{'' if summary.images == 1 else 's'}"
    line = f"{summary.target}: {count} in {summary.seconds:.1f} s, {format_counts(summary.found)}"
    if summary.skipped:
        line += f"; {summary.skipped:,} skipped that {'is no picture' if summary.skipped == 1 else 'are no pictures'}"
    return line


def image_summary_fields(summary: ImageSummary) -> dict[str, object]:
    """Return a run over images as JSON fields."""
    return {
        "event": "done",
        "target": summary.target,
        "device": summary.device,
        "pictures": summary.images,
        "seconds": round(summary.seconds, 3),
        "found": dict(summary.found),
        "skipped": summary.skipped,
    }
