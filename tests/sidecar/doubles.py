"""A detector that misses what the tracker must fill in, and runs that write and read files of detections."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video, render_video
from tests.detectors import CLASSES, SquareDetector
from tests.pipeline.runs import NO_CALLBACKS
from tests.settings import changed

Line = dict[str, Any]
MISSED = (4, 5, 11)
DOUBTED = (7, 14)


class BlinkingDetector(SquareDetector):
    """Sees the square and two things that overlap it; sometimes nothing at all, sometimes it is in doubt."""

    def _find(self, frame: Frame) -> Detections:
        square = super()._find(frame)
        if frame.number in MISSED or not len(square):
            return Detections.empty(CLASSES)
        shift = np.array([[0, 0, 0, 0], [6.3, 3.7, 4.1, 9.9], [-7.6, -5.2, 0.1, 1 / 3]], np.float32)
        scores = np.array([0.9, 1 / 3, 0.70000005], np.float32)
        origin = Origin.low_confidence if frame.number in DOUBTED else Origin.detected
        origins = np.full(3, origin, np.int8)
        return Detections(square.xyxy + shift, scores, np.array([1, 0, 1]), CLASSES, origins)


def repeatable(settings: Settings | None = None) -> Settings:
    """x264 writes the same bytes each time only with its fastest presets, on one thread."""
    return changed(settings or Settings(), {"encode.threads": 1, "encode.preset": "ultrafast"})


def write(
    source: Path | str,
    target: Path,
    file: Path,
    detector: SquareDetector | None = None,
    settings: Settings | None = None,
    overwrite: bool = False,
    callbacks: Callbacks = NO_CALLBACKS,
) -> Summary:
    """One pass, with a file of detections beside the target."""
    job = Job(Address(str(source)), Address(str(target)), overwrite, detections=Address(str(file)))
    load = (detector or BlinkingDetector()).load
    return anonymize_video(job, repeatable(settings), callbacks, StopToken(), load)


def render(
    source: Path | str, target: Path, file: Path, settings: Settings | None = None, overwrite: bool = False
) -> Summary:
    """The second pass, from the file."""
    job = Job(Address(str(source)), Address(str(target)), overwrite)
    return render_video(job, file, repeatable(settings), Callbacks(), StopToken())


def lines(file: Path) -> list[Line]:
    """The header and the lines of all frames."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def edit(file: Path, change: Callable[[list[Line]], object]) -> Path:
    """Let `change` work on the lines, the header among them, and write them back."""
    content = lines(file)
    change(content)
    return put(file, content)


def put(file: Path, content: Sequence[Line]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in content))
    return file
