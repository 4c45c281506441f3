"""What judges pictures, and how its failures are told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import BlurSceneError, DetectionError, RedactionError, first_line
from blurscene_stream.frames import Frame, RedactedFrame


class Detector(Protocol):
    """Judges pictures."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that labels stand for."""

    @property
    def device_name(self) -> str:
        """Where it runs, in words."""

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """One answer for each picture, in order."""


Detect = Callable[[Sequence[Frame]], list[Detections]]
Redact = Callable[[Frame, Detections], RedactedFrame]
LoadDetector = Callable[[Settings], Detector]


def load_torch_detector(settings: Settings) -> Detector:
    """Imported late: torch takes longer to import than a bad command line takes to refuse."""
    from blurscene_stream.detect import load_detector  # noqa: PLC0415

    return load_detector(settings)


def judge(frames: Sequence[Frame], detect: Detect) -> list[Detections]:
    """What `detect` says of each frame.

    Raises DetectionError when it fails, or does not answer for each of them.
    """
    where = f"frames {frames[0].number} to {frames[-1].number}"
    try:
        found = detect(frames)
    except BlurSceneError:
        raise
    except Exception as error:
        raise DetectionError(f"{where}: the detector failed: {type(error).__name__}: {first_line(error)}") from error
    if len(found) != len(frames):
        raise DetectionError(f"{where}: the detector judged {len(found)} of {len(frames)} pictures")
    return found


@contextmanager
def named(name: str, *more: type[BlurSceneError]) -> Generator[None]:
    """Who judges and redacts pictures does not know where they come from; whoever reads the error must.

    more: kinds of errors that do not name it either
    """
    kinds: tuple[type[BlurSceneError], ...] = (DetectionError, RedactionError, *more)
    try:
        yield
    except kinds as error:
        raise type(error)(f"{name}: {error}") from error
