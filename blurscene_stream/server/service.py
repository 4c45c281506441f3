"""The state of one worker of the service: settings, detector, and the places for requests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from flask import Flask, current_app
from werkzeug.exceptions import ServiceUnavailable

from blurscene_stream.config import Settings
from blurscene_stream.pipeline.detection import LoadDetector
from blurscene_stream.server.batching import BatchingDetector
from blurscene_stream.server.options import settings_of_detector

EXTENSION = "blurscene_stream"
RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What all requests share.

    settings: as the operator gave them
    detector: finds everything that any request may ask for
    places:   for requests that are worked on or wait
    token:    of the Authorization header; None when none is needed
    """

    settings: Settings
    detector: BatchingDetector
    places: BoundedSemaphore
    token: str | None

    @classmethod
    def start(cls, settings: Settings, load_detector: LoadDetector, token: str | None) -> Service:
        """Load the detector and start its thread.

        Raises ConfigError, DeviceError, DetectionError.
        """
        detector = BatchingDetector(
            load_detector(settings_of_detector(settings)),
            max_frames=settings.detect.batch_size,
            wait_s=settings.server.batch_wait_ms / 1000,
        )
        detector.start()
        return cls(settings, detector, BoundedSemaphore(settings.server.queue_size), token)

    def add_to(self, app: Flask) -> None:
        """Give the service to the views of `app`."""
        app.extensions[EXTENSION] = self

    @contextmanager
    def place(self) -> Generator[None]:
        """Hold a place for a request. Raises ServiceUnavailable when there is none, or nothing can be detected yet."""
        if not self.detector.ready:
            raise ServiceUnavailable("not ready; try again later", retry_after=RETRY_AFTER_S)
        if not self.places.acquire(blocking=False):
            size = self.settings.server.queue_size
            raise ServiceUnavailable(f"{size} pictures wait already; try again later", retry_after=RETRY_AFTER_S)
        try:
            yield
        finally:
            self.places.release()

    def close(self) -> None:
        """Stop the detector's thread."""
        self.detector.close()


def service() -> Service:
    """Return the service that answers the current request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Service)
    return found
