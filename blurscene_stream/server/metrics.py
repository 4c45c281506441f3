"""Counts and times of requests and of the detector, in Prometheus' text format."""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from blurscene_stream.boxes import Detections
from blurscene_stream.server.gunicorn_hooks import NUMBERS_FOLDER

__all__ = ["CONTENT_TYPE", "Metrics"]

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FRAMES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The numbers of one worker."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "blurscene_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "blurscene_request_seconds", "Time to the answer.", ("route",), buckets=SECONDS, registry=registry
        )
        self._boxes = Counter("blurscene_boxes", "Boxes covered in pictures.", ("label",), registry=registry)
        self._batch_frames = Histogram(
            "blurscene_batch_frames", "Frames in one call of the detector.", buckets=FRAMES, registry=registry
        )
        self._batch_seconds = Histogram(
            "blurscene_batch_seconds", "Time of one call of the detector.", buckets=SECONDS, registry=registry
        )
        self._places_taken = Gauge(
            "blurscene_places_taken",
            "Pictures that are worked on or wait.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def count_request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count an answer; without a route it has none of its own: anybody can ask for any path."""
        known = route or "none"
        self._requests.labels(known, method if route else "any", status).inc()
        self._seconds.labels(known).observe(seconds)

    def count_boxes(self, covered: Detections) -> None:
        """Count what was covered in a picture."""
        for name in covered.class_names:
            self._boxes.labels(name).inc(covered.count(name))

    def show_places(self, taken: int) -> None:
        """Show how many places are taken."""
        self._places_taken.set(taken)

    def count_batch(self, frames: int, seconds: float) -> None:
        """Count a call of the detector."""
        self._batch_frames.observe(frames)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all numbers: of this worker, of all of them where there are several."""
        if NUMBERS_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
