"""How far a run is, and what it has done."""

from __future__ import annotations

import sys
from collections import Counter
from typing import NoReturn

from tqdm import tqdm

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline import Summary
from blurscene_stream.pipeline.image import ImageSummary
from blurscene_stream.streams import StreamInfo

SHOWN_CLASSES = {"license_plate": "plate"}


class ProgressBar:
    """What is done, how much a second, time left and boxes found, on stderr; nothing when it is not a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._found: Counter[str] = Counter()

    def started(self, info: StreamInfo) -> None:
        """Show the bar; how much there is to do is known for most files, and for no camera."""
        guess = round(info.duration_s * float(info.frame_rate)) if info.frame_rate else 0
        self.show(info.frame_count or guess or None, "frames")

    def show(self, total: int | None, unit: str) -> None:
        """Show the bar, if it is wanted."""
        if self._wanted:
            tqdm.monitor_interval = 0  # no thread of its own
            self._bar = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, leave=False)

    def written(self, frame: RedactedFrame) -> None:
        """One frame more."""
        self.count(frame.detections.observed())

    def count(self, detections: Detections) -> None:
        """One frame or picture more, with what was found in it."""
        if self._bar is None:
            return
        self._found.update(detections.class_names[label] for label in detections.class_ids)
        self._bar.set_postfix_str(words(self._found), refresh=False)
        self._bar.update()

    def reach(self, done: int, total: int) -> None:
        """So many of all that there is to do are done."""
        if self._bar is None:
            self.show(total, "done")
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def words(found: Counter[str]) -> str:
    """Boxes of each class in words: "810 faces, 1 plate"."""
    parts = []
    for name, count in found.items():
        shown = SHOWN_CLASSES.get(name, name.replace("_", " "))
        parts.append(f"{count:,} {shown}{'' if count == 1 else 's'}")
    return ", ".join(parts) or "nothing found"


def closing_line(summary: Summary) -> str:
    """The whole run in one line."""
    rate = summary.frames / summary.seconds if summary.seconds else 0.0
    line = f"{summary.target}: {summary.frames:,} frames in {summary.seconds:.1f} s ({rate:.1f} frames/s)"
    line += f", {words(summary.found)}"
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


def closing_fields(summary: Summary) -> dict[str, object]:
    """The same for a machine."""
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
        "audit": summary.audit or None,
    }


def pictures_line(summary: ImageSummary) -> str:
    """A whole run over pictures in one line."""
    count = f"{summary.images:,} picture{'' if summary.images == 1 else 's'}"
    line = f"{summary.target}: {count} in {summary.seconds:.1f} s, {words(summary.found)}"
    if summary.skipped:
        line += f"; {summary.skipped:,} skipped that {'is no picture' if summary.skipped == 1 else 'are no pictures'}"
    return line


def pictures_fields(summary: ImageSummary) -> dict[str, object]:
    """The same for a machine."""
    return {
        "event": "done",
        "target": summary.target,
        "device": summary.device,
        "pictures": summary.images,
        "seconds": round(summary.seconds, 3),
        "found": dict(summary.found),
        "skipped": summary.skipped,
    }
