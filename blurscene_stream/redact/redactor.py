"""Hides what was found, in the frame's own planes."""

from __future__ import annotations

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.redact.covers import COVERS
from blurscene_stream.redact.regions import covered
from blurscene_stream.redact.release import release
from blurscene_stream.redact.windows import windows


class Redactor:
    """Covers every object in a frame; every sample outside the covered regions stays as it was.

    Built once for a run; calls share nothing, so several threads may use one at a time.
    """

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """`classes`: the detector's class names in the order of its labels.

        Raises ConfigError for a class without settings.
        """
        self._names = classes
        self._classes = in_label_order(settings, classes)
        self._config = settings.redact
        self._cover = COVERS[settings.redact.method]

    def __call__(self, frame: Frame, detections: Detections) -> RedactedFrame:
        """Cover `detections` in the planes of `frame`, in place.

        Raises RedactionError; the planes may then be half done and must not be shown.
        """
        return release(frame, detections, self._names, self._hide)

    def _hide(self, frame: Frame, detections: Detections) -> None:
        # One after the other, each over what the ones before left: where regions overlap, the last one averages
        # samples that are covered already, and no original sample comes through.
        for region in covered(frame.picture, detections, self._classes, self._config.least_margin_px):
            for window in windows(frame, (region.x0, region.y0, region.x1, region.y1)):
                window.write(self._cover(window, self._config, region.longest_px), region.mask)


def in_label_order(settings: Settings, classes: tuple[str, ...]) -> list[ClassConfig]:
    """The settings of each class in `classes`.

    Raises ConfigError for a class without settings.
    """
    unknown = [name for name in classes if name not in settings.classes]
    if unknown:
        raise ConfigError(
            f"classes.{unknown[0]} is missing: the detector finds it; known: {', '.join(settings.classes)}"
        )
    return [settings.classes[name] for name in classes]
