"""Settings as text: YAML with the source of each value, and JSON with its checksum for records of a run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from blurscene_stream.config.files import one_line
from blurscene_stream.config.load import ResolvedSettings
from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import ModelConfig, Settings

WITHOUT_EFFECT_ON_RESULTS = (
    "device",
    "queue_frames",
    "files_at_once",
    "source.threads",
    "encode",
    "rtsp",
    "server",
    "logging",
)
"""Settings that change nothing of what is detected and covered."""

_NOT_PLAIN = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"}  # not text in YAML, unquoted


def to_yaml(resolved: ResolvedSettings) -> str:
    """Return every setting with its value and, as a comment, its source.

    The text is a file for --config, which gives the same settings.
    """
    return "\n".join(_lines(resolved.settings, resolved, "")) + "\n"


def _lines(section: object, resolved: ResolvedSettings, prefix: str) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in _items(section):
        if is_dataclass(value) or (isinstance(value, dict) and prefix + name not in resolved.sources):
            yield f"{indent}{name}:"
            yield from _lines(value, resolved, f"{prefix}{name}.")
        else:
            yield f"{indent}{name}: {scalar(value)}   # {one_line(resolved.sources[prefix + name])}"


def _items(section: object) -> list[tuple[str, object]]:
    if isinstance(section, dict):
        return list(section.items())
    assert is_dataclass(section)
    return [(field.name, getattr(section, field.name)) for field in fields(section)]


def scalar(value: object) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(scalar(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(str(key))}: {scalar(item)}' for key, item in value.items())}}}"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    """Return the text plain where YAML reads it as text, else in double quotes with unprintable characters escaped."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_.]*", text) and text.lower() not in _NOT_PLAIN:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", quoted)


def program() -> dict[str, str]:
    """Return name and version of this program."""
    from importlib.metadata import PackageNotFoundError, version  # a tenth of a command's start

    try:
        return {"name": "blurscene-stream", "version": version("blurscene-stream")}
    except PackageNotFoundError:
        return {"name": "blurscene-stream", "version": "not installed"}


def models(settings: Settings) -> list[dict[str, str | None]]:
    """Return the name of each model and the SHA-256 of its weights."""
    return [{"name": each.name, "sha256": _checksum(each)} for each in models_of(settings)]


def _checksum(model: ModelConfig) -> str | None:
    """Return the SHA-256 of the weights, calculated where the settings have none."""
    file = Path(model.weights)
    return model.sha256 or (hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None)


def settings_sha256(settings: Settings) -> str:
    """Return the SHA-256 of the settings of results, of their JSON with sorted keys and no spaces.

    What is detected and covered is the same where it is the same.
    """
    included = settings_of_results(settings)
    text = json.dumps(included, sort_keys=True, separators=(",", ":"), default=str)  # a model's file may hold anything
    return hashlib.sha256(text.encode()).hexdigest()


def settings_of_results(settings: Settings) -> dict[str, object]:
    """Return all settings but those `WITHOUT_EFFECT_ON_RESULTS`, as JSON data."""
    values: dict[str, Any] = {field.name: to_json(getattr(settings, field.name)) for field in fields(settings)}
    for name in WITHOUT_EFFECT_ON_RESULTS:
        section, _, key = name.rpartition(".")
        del (values[section] if section else values)[key]
    return values


def to_json(value: object) -> object:
    """Return JSON data of dataclasses and their values; a method `as_dict` takes precedence."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if is_dataclass(value):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    if isinstance(value, Enum):
        return value.name
    return round(value, 6) if isinstance(value, float) else value
