"""Progress of a run, on a terminal or in a log, and its summary in one line or as JSON fields."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

    from blurscene_stream.boxes import Detections
    from blurscene_stream.frames import RedactedFrame
    from blurscene_stream.pipeline import Summary
    from blurscene_stream.pipeline.image_files import ImageSummary
    from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)

LINE_INTERVAL_S = 10.0  # between two lines of progress in a log
SHORT_CLASS_NAMES = {"license_plate": "plate"}


class Progress:
    """Count, rate, time left and boxes found: a bar on a terminal, else a line in the log every LINE_INTERVAL_S."""

    def __init__(self, *, quiet: bool, json: bool) -> None:
        self._quiet, self._on_terminal = quiet, sys.stderr.isatty() and not json
        self._bar: tqdm[NoReturn] | None = None
        self._found: Counter[str] = Counter()
        self._name, self._unit = "", ""
        self._total: int | None = None
        self._done = self._next_frame = 0
        self._start_s = self._line_s = time.monotonic()

    def start_video(self, info: StreamInfo) -> None:
        """Begin; the number of frames is known or estimated for files, and unknown for cameras."""
        self.start(expected_frames(info), "frames", info.name)

    def start(self, total: int | None, unit: str, name: str = "") -> None:
        """Begin, with what will be counted; name: what it belongs to, for the lines."""
        self._name, self._unit, self._total = name and f"{name}: ", unit, total
        self._start_s = self._line_s = time.monotonic()
        if self._on_terminal and not self._quiet:
            from tqdm import tqdm  # noqa: PLC0415  # a run without a bar does not need it

            tqdm.monitor_interval = 0  # no thread of its own
            self._bar = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, leave=False)

    def rename(self, name: str, total: int | None) -> None:
        """Change the name and what is counted up to; it goes on counting."""
        self._name, self._total = f"{name}: ", total
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_description(name)

    def add_frame(self, frame: RedactedFrame) -> None:
        """Count one frame more; numbers that are missing before it are frames that were dropped."""
        self._next_frame = frame.number + 1
        self.add(frame.detections.observed())

    def add(self, detections: Detections) -> None:
        """Count one frame or image more, and its detections."""
        self._done += 1
        if self._bar is not None:
            self._found.update(detections.class_names[label] for label in detections.class_ids)
            self._bar.set_postfix_str(format_counts(self._found), refresh=False)
            self._bar.update()
        else:
            self._log_when_due()

    def update(self, done: int, total: int) -> None:
        """Set how much of `total` is done; begins the first time."""
        if not self._unit:
            self.start(total, "done")
        self._done = done
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        else:
            self._log_when_due()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def _log_when_due(self) -> None:
        now_s = time.monotonic()
        if self._quiet or now_s - self._line_s < LINE_INTERVAL_S:
            return
        self._line_s = now_s
        rate = self._done / (now_s - self._start_s)
        left_s = (self._total - self._done) / rate if self._total and self._total >= self._done else None
        dropped = max(0, self._next_frame - self._done)
        of_total = f" of {self._total:,}" if self._total else ""
        line = f"{self._name}{self._done:,}{of_total} {self._unit}, {rate:.3g}/s"
        line += "" if left_s is None else f", {left_s:,.0f} s left"
        line += f", {dropped:,} dropped" if dropped else ""
        fields = {"event": "progress", "done": self._done, "total": self._total, "per_second": round(rate, 2)}
        fields |= {"left_s": None if left_s is None else round(left_s), "dropped_frames": dropped}
        log.info("%s", line, extra={"fields": fields})


def expected_frames(info: StreamInfo) -> int | None:
    """Return how many frames a file has, as far as it says; None: it does not."""
    estimate = round(info.duration_s * float(info.frame_rate)) if info.frame_rate else 0
    return info.frame_count or estimate or None


def format_counts(found: Counter[str]) -> str:
    """Format boxes of each class: "810 faces, 1 plate"."""
    parts = []
    for name, count in found.items():
        shown = SHORT_CLASS_NAMES.get(name, name.replace("_", " "))
        parts.append(_counted(count, shown, f"{shown}s"))
    return ", ".join(parts) or "nothing found"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def summary_line(summary: Summary) -> str:
    """Format a run over a video in one line."""
    rate = summary.frames / summary.seconds if summary.seconds else 0.0
    frames = _counted(summary.frames, "frame", "frames")
    line = f"{summary.target}: {frames} in {summary.seconds:.1f} s ({rate:.1f} frames/s)"
    line += f", {format_counts(summary.found)}"
    if summary.tracks:
        line += f" (tracks: {format_counts(summary.tracks)})"
    if summary.added:
        line += f", and {_counted(summary.added, 'box', 'boxes')} between and around them"
    if summary.covered_whole:
        line += f"; {_counted(summary.covered_whole, 'damaged picture was', 'damaged pictures were')} covered whole"
    if summary.dropped_frames:
        dropped = _counted(summary.dropped_frames, "late or damaged picture was", "late or damaged pictures were")
        line += f"; {dropped} dropped whole"
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
        "tracks": dict(summary.tracks),
        "added": summary.added,
        "covered_whole": summary.covered_whole,
        "dropped_frames": summary.dropped_frames,
        "left_out": list(summary.left_out),
        "ended_early": summary.ended_early or None,
        "audit": summary.audit or None,
    }


def image_summary_line(summary: ImageSummary) -> str:
    """Format a run over images in one line."""
    count = _counted(summary.images, "picture", "pictures")
    line = f"{summary.target}: {count} in {summary.seconds:.1f} s, {format_counts(summary.found)}"
    if summary.skipped:
        line += f"; {_counted(summary.skipped, 'skipped that is no picture', 'skipped that are no pictures')}"
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
