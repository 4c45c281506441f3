"""Query parameters: what a request may choose, within the limits of `settings.server`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings
from blurscene_stream.config.overrides import margin
from blurscene_stream.config.schema import ClassConfig, MergeMethod, RedactMethod
from blurscene_stream.config.validation import listed, shown
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detector

DETECT_OPTIONS = ("thresh", "classes")
REDACT_OPTIONS = ("redact", "mask_scale")
VIDEO_OPTIONS = ("codec",)
CODECS = ("h264",)
"""What every browser plays: an HEVC video stays HEVC else."""


def chosen_settings(settings: Settings, query: MultiDict[str, str], names: Sequence[str]) -> Settings:
    """Return the settings of a request: the operator's, with what the query changes.

    names: the parameters that it may have, of OPTIONS

    Raises ConfigError for another parameter, one that is there twice, and a value that is not allowed.
    """
    for name, values in query.lists():
        if name not in names:
            known = f"one of {', '.join(names)}" if names else "left out"
            raise ConfigError(f"a parameter must be {known}, got {shown(name)}")
        if len(values) > 1:
            raise ConfigError(f"{name} must be there once, got {shown(values)}")
        settings = OPTIONS[name](settings, values[0])
    return settings


def enabled_classes(settings: Settings) -> list[str]:
    """Return the classes that are covered, in the settings' order."""
    return [name for name, config in settings.classes.items() if config.enabled]


def takes_threshold(settings: Settings) -> bool:
    """Whether a request may choose the threshold: only NMS gives what a higher threshold would have given."""
    return settings.detect.merge.method is MergeMethod.nms


def lowest_threshold(settings: Settings) -> float:
    """Return the lowest score that a request may ask for; never above what the server itself covers.

    The page asks for it, and shows and covers nothing that scores less.
    """
    return min(settings.server.min_threshold, *(config.threshold for config in settings.classes.values()))


def settings_of_detector(settings: Settings) -> Settings:
    """Return the settings of a detector that finds what any request may ask for: the lowest threshold of all."""
    if not takes_threshold(settings):
        return settings
    low = lowest_threshold(settings)
    classes = {name: replace(each, threshold=min(each.threshold, low)) for name, each in settings.classes.items()}
    return replace(settings, classes=classes)


def _with_threshold(settings: Settings, text: str) -> Settings:
    if not takes_threshold(settings):
        method = settings.detect.merge.method.name
        raise ConfigError(f"thresh must be left out: the server merges boxes by {method}, got {shown(text)}")
    value = _number("thresh", text, lowest_threshold(settings), settings.server.max_threshold)
    return _with_classes(settings, lambda _, config: replace(config, threshold=value))


def _with_chosen_classes(settings: Settings, text: str) -> Settings:
    known, names = enabled_classes(settings), text.split(",")
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"classes must be a list of {listed(known)} with commas between, got {shown(unknown[0])}")
    return _with_classes(settings, lambda name, config: replace(config, enabled=name in names))


def _with_method(settings: Settings, text: str) -> Settings:
    methods = [method.name for method in RedactMethod]
    if text not in methods:
        raise ConfigError(f"redact must be {listed(methods)}, got {shown(text)}")
    return replace(settings, redact=replace(settings.redact, method=RedactMethod[text]))


def _with_mask_scale(settings: Settings, text: str) -> Settings:
    value = _number("mask_scale", text, settings.server.min_mask_scale, settings.server.max_mask_scale)
    return _with_classes(settings, lambda _, config: replace(config, margin=margin(value)))


def _with_codec(settings: Settings, text: str) -> Settings:
    if text not in CODECS:
        raise ConfigError(f"codec must be {listed(CODECS)}, got {shown(text)}")
    encode = settings.encode
    if encode.codec not in ("auto", text):  # the scales of quality and presets are each encoder's own
        encode = replace(encode, crf=None, preset=None)
    return replace(settings, encode=replace(encode, codec=text))


OPTIONS: Mapping[str, Callable[[Settings, str], Settings]] = {
    "thresh": _with_threshold,
    "classes": _with_chosen_classes,
    "redact": _with_method,
    "mask_scale": _with_mask_scale,
    "codec": _with_codec,
}


def _with_classes(settings: Settings, change: Callable[[str, ClassConfig], ClassConfig]) -> Settings:
    return replace(settings, classes={name: change(name, config) for name, config in settings.classes.items()})


def _number(name: str, text: str, low: float, high: float) -> float:
    """Return the value of a parameter. Raises ConfigError unless it is a number from `low` to `high`."""
    with suppress(ValueError):
        value = float(text)
        if low <= value <= high:
            return value
    raise ConfigError(f"{name} must be a number in [{low:g}, {high:g}], got {shown(text)}")


@dataclass(frozen=True, slots=True)
class FilteringDetector:
    """A `Detector` that leaves of another's boxes what a detector with `settings` would have found.

    detector: one with `settings_of_detector`; exact, because NMS keeps a box whatever worse ones there are
    """

    detector: Detector
    settings: Settings

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Detector`."""
        return self.detector.class_names

    @property
    def device_name(self) -> str:
        """See `Detector`."""
        return self.detector.device_name

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """See `Detector`."""
        return [self._filtered(found) for found in self.detector(frames)]

    def _filtered(self, found: Detections) -> Detections:
        configs = [self.settings.classes[name] for name in found.class_names]
        enabled = found.of_classes(set(enabled_classes(self.settings)))
        if not takes_threshold(self.settings):
            return enabled
        return enabled.above([config.threshold for config in configs], self.settings.track.reporting_ratio)
