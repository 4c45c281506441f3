"""Who says what must be covered in each frame of a video: the detector and the tracker, or a file."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import StreamInfo
from blurscene_stream.pipeline.anonymize import Item, Judged, followed, judged
from blurscene_stream.pipeline.judge import Detector, LoadDetector


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

    def judged(self, items: Generator[Item], info: StreamInfo) -> Generator[Judged]:
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

    def judged(self, items: Generator[Item], info: StreamInfo) -> Generator[Judged]:
        """Every frame with what must be covered in it; a live one is looked at alone, it waits for no other."""
        batch = 1 if info.live else self._settings.detect.batch_size
        known = judged(items, self._detect, batch)
        return followed(known, self._settings.track, self.classes, info.time_base)


def by_detector(load_detector: LoadDetector) -> LoadJudgement:
    """The judgement of a detector that is loaded when it is needed."""
    return lambda settings: ByDetector(load_detector(settings), settings)
