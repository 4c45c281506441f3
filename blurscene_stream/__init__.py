"""Detect every face and licence plate in a video and make them unrecoverable.

source -> detect -> track -> redact -> sink: an address becomes frames, frames get detections, what was detected is
covered, and only covered frames are written. `blurscene_stream.pipeline` puts the rooms together.

The names below are loaded when they are first used (PEP 562): importing the package reads nothing and starts nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blurscene_stream.api import Anonymizer
    from blurscene_stream.boxes import Detections, Origin
    from blurscene_stream.config import Settings, load_settings
    from blurscene_stream.errors import (
        BlurSceneError,
        ConfigError,
        CorruptInputError,
        DetectionError,
        DeviceError,
        RedactionError,
        SinkError,
        SinkLostError,
        SourceError,
        SourceLostError,
        StoppedError,
        UsageError,
    )
    from blurscene_stream.pipeline import Summary

    __version__: str

_HOMES = {
    "blurscene_stream.api": ("Anonymizer",),
    "blurscene_stream.boxes": ("Detections", "Origin"),
    "blurscene_stream.config": ("Settings", "load_settings"),
    "blurscene_stream.pipeline": ("Summary",),
    "blurscene_stream.errors": (
        "BlurSceneError",
        "ConfigError",
        "CorruptInputError",
        "DetectionError",
        "DeviceError",
        "RedactionError",
        "SinkError",
        "SinkLostError",
        "SourceError",
        "SourceLostError",
        "StoppedError",
        "UsageError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Anonymizer",
    "BlurSceneError",
    "ConfigError",
    "CorruptInputError",
    "DetectionError",
    "Detections",
    "DeviceError",
    "Origin",
    "RedactionError",
    "Settings",
    "SinkError",
    "SinkLostError",
    "SourceError",
    "SourceLostError",
    "StoppedError",
    "Summary",
    "UsageError",
    "__version__",
    "load_settings",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version("blurscene-stream")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
