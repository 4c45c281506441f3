"""The state of one worker of the service: settings, detector, and the places for requests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from flask import Flask, current_app
from werkzeug.exceptions import ServiceUnavailable

from blurscene_stream.config import Settings
from blurscene_stream.frames import ScanMode
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.batching import BatchingDetector
from blurscene_stream.pipeline.detection import Detector, LoadDetector, detect_frames
from blurscene_stream.server.metrics import Metrics
from blurscene_stream.server.options import settings_of_detector
from blurscene_stream.server.places import Places

EXTENSION = "blurscene_stream"
RETRY_AFTER_S = 2
WARM_UP_SIZE = (1280, 720)
WARM_UP_MODES = (ScanMode.full, ScanMode.only_turned)  # those of every picture


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What all requests share.

    settings: as the operator gave them
    detector: finds everything that any request may ask for
    places:   for requests that are worked on or wait
    metrics:  what has been done so far
    token:    of the Authorization header; None when none is needed
    """

    settings: Settings
    detector: BatchingDetector
    places: Places
    metrics: Metrics
    token: str | None

    @classmethod
    def start(cls, settings: Settings, load_detector: LoadDetector, token: str | None) -> Service:
        """Load the detector and start its thread.

        Raises ConfigError, DeviceError, DetectionError.
        """
        server, metrics = settings.server, Metrics()
        detector = BatchingDetector(
            load_detector(settings_of_detector(settings)),
            max_frames=settings.detect.batch_size,
            wait_s=server.batch_wait_ms / 1000,
            first_run=warm_up,
            apart=True,
            on_batch=metrics.count_batch,
        )
        places = Places(server.queue_size, server.max_pixels_at_once, metrics.show_places)
        detector.start()
        return cls(settings, detector, places, metrics, token)

    def add_to(self, app: Flask) -> None:
        """Give the service to the views of `app`."""
        app.extensions[EXTENSION] = self

    @contextmanager
    def place(self) -> Generator[None]:
        """Hold a place for a request. Raises ServiceUnavailable when there is none, or nothing can be detected yet."""
        if not self.detector.ready:
            raise ServiceUnavailable("not ready; try again later", retry_after=RETRY_AFTER_S)
        if not self.places.take():
            size = self.settings.server.queue_size
            raise ServiceUnavailable(f"{size} pictures wait already; try again later", retry_after=RETRY_AFTER_S)
        try:
            yield
        finally:
            self.places.give_back()

    def close(self) -> None:
        """Stop the detector's thread."""
        self.detector.close()


def warm_up(detector: Detector) -> None:
    """Run a detector over a blank picture: the first run takes longer than others. Raises DetectionError."""
    frame = DecodedImage.blank(*WARM_UP_SIZE).frames()[0]
    for mode in WARM_UP_MODES:
        detect_frames([replace(frame, scan_mode=mode)], detector)


def service() -> Service:
    """Return the service that answers the current request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Service)
    return found
