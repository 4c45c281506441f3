"""Where detections come from: a detector, or a file; and how their failures are reported."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.crash_report import unforeseen_errors
from blurscene_stream.errors import BlurSceneError, DetectionError, RedactionError
from blurscene_stream.frames import DetectedItem, Frame, RedactedFrame, SourceItem
from blurscene_stream.pipeline.prefetch import called_ahead
from blurscene_stream.streams import StreamInfo


class Detector(Protocol):
    """Finds objects in frames."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, by class id."""

    @property
    def device_name(self) -> str:
        """Device that it runs on, in words."""

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, in order."""


class DetectionSource(Protocol):
    """Gives the detections of all frames of one stream."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, by class id."""

    @property
    def device_name(self) -> str:
        """Device that it runs on, in words."""

    @property
    def description(self) -> str:
        """Where the detections come from, in words that follow the name of the target."""

    def detected(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Yield every frame with what must be covered in it, in order; packets keep their place between them.

        info: the stream that the items are of
        """


Detect = Callable[[Sequence[Frame]], list[Detections]]
Redact = Callable[[Frame, Detections], RedactedFrame]
LoadDetector = Callable[[Settings], Detector]
LoadDetectionSource = Callable[[Settings], DetectionSource]


def load_configured_detector(settings: Settings) -> Detector:
    """Load the detector that the settings name.

    Imported late: NumPy and OpenCV take longer to import than a bad command line takes to refuse.
    """
    from blurscene_stream.detect.loading import load_detector  # noqa: PLC0415

    return load_detector(settings)


@contextmanager
def detector_ahead(settings: Settings) -> Generator[LoadDetector]:
    """Begin to load the configured detector; yield what returns it for these settings, or raises the error of loading.

    Its library compiles the networks while this thread imports what else a run needs and opens the input. With torch it
    is loaded when it is asked for: its import takes longer than a bad input takes to refuse, and CUDA may be used only
    once the input is open.
    """
    from blurscene_stream.detect.backends.loading import import_light_backends  # noqa: PLC0415  imports NumPy

    if not import_light_backends(settings):
        yield load_configured_detector
        return
    with called_ahead(partial(load_configured_detector, settings), "load") as detector:
        yield lambda _: detector()


def detect_frames(frames: Sequence[Frame], detect: Detect) -> list[Detections]:
    """Return the detections of each frame.

    Raises DetectionError when `detect` fails, or does not answer for each of them.
    """
    where = f"frames {frames[0].number} to {frames[-1].number}"
    with unforeseen_errors(DetectionError, f"{where}: the detector failed"):
        detections = detect(frames)
    if len(detections) != len(frames):
        raise DetectionError(f"{where}: the detector answered for {len(detections)} of {len(frames)} pictures")
    return detections


@contextmanager
def prefix_errors(name: str, *more: type[BlurSceneError]) -> Generator[None]:
    """Put `name` before the message of errors raised by those who do not know where a picture comes from.

    more: error types besides DetectionError and RedactionError that do not name it either
    """
    error_types: tuple[type[BlurSceneError], ...] = (DetectionError, RedactionError, *more)
    try:
        yield
    except error_types as error:
        raise type(error)(f"{name}: {error}") from error
