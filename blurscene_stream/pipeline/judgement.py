"""Who says what must be covered in each frame of a video: the detector and the tracker, or a file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import DetectedItem, SourceItem
from blurscene_stream.pipeline.anonymize import followed, judged
from blurscene_stream.pipeline.judge import Detector, LoadDetector
from blurscene_stream.pipeline.looks import check_looks, warning_line, with_looks
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)


class Judgement(Protocol):
    """Judges the frames of one stream."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that labels stand for."""

    @property
    def device_name(self) -> str:
        """Where it runs, in words."""

    @property
    def words(self) -> str:
        """Who judges, in words that follow the name of the target."""

    @property
    def file(self) -> Path | None:
        """The file that says what to cover; None: a detector does."""

    def judged(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Every frame with what must be covered in it, in order; packets keep their place between them.

        info: the stream that the items are of
        """


LoadJudgement = Callable[[Settings], Judgement]


class ByDetector:
    """A detector judges, and what it found is followed over time."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detect = detector
        self._settings = settings
        self.classes = detector.classes
        self.device_name = detector.device_name
        self.words = f"on {detector.device_name}"
        self.file: Path | None = None

    def judged(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Every frame with what must be covered in it; a live one is looked at alone, no batch is waited for.

        Raises ConfigError when `detect.every` is too many frames for the tracker.
        """
        check_looks(self._settings, info)
        if self._settings.detect.every > 1:
            log.warning("%s", warning_line(self._settings, info))
        batch = 1 if info.live else self._settings.detect.batch_size
        known = judged(with_looks(items, self._settings, info.time_base), self._detect, batch)
        return followed(known, self._settings.track, self.classes, info.time_base)


def by_detector(load_detector: LoadDetector) -> LoadJudgement:
    """The judgement of a detector that is loaded when it is needed."""
    return lambda settings: ByDetector(load_detector(settings), settings)
