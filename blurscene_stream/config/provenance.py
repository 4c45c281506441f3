"""With what a result was made: the program, the model and the settings, for files that tell it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.models import ModelConfig
from blurscene_stream.config.schema import Settings

CHANGE_NOTHING = ("device", "queue_frames", "encode", "rtsp", "logging")  # of what is found and covered


def program() -> dict[str, str]:
    """Name and version of this program."""
    try:
        return {"name": "blurscene-stream", "version": version("blurscene-stream")}
    except PackageNotFoundError:
        return {"name": "blurscene-stream", "version": "not installed"}


def models(settings: Settings) -> list[dict[str, str | None]]:
    """Name of each model, and the checksum of its weights."""
    return [{"name": each.name, "sha256": _checksum(each)} for each in models_of(settings)]


def _checksum(model: ModelConfig) -> str | None:
    """Of the weights, also when the settings do not hold it."""
    file = Path(model.weights)
    return model.sha256 or (hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None)


def settings_sha256(settings: Settings) -> str:
    """A checksum of all settings but those that `CHANGE_NOTHING`: what is found and covered is the same with the same.

    Taken of their JSON with sorted keys and no spaces.
    """
    counted = settings_of_results(settings)
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"), default=str)  # a model's file may hold anything
    return hashlib.sha256(text.encode()).hexdigest()


def settings_of_results(settings: Settings) -> dict[str, object]:
    """All settings but those that `CHANGE_NOTHING`, as what JSON has."""
    told = {field.name: plain(getattr(settings, field.name)) for field in fields(settings)}
    return {name: value for name, value in told.items() if name not in CHANGE_NOTHING}


def plain(value: object) -> object:
    """Dataclasses as what JSON has; one with a method `as_dict` says itself what is told of it."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.name
    return round(value, 6) if isinstance(value, float) else value
