"""Settings as YAML text, with the source of each value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

from blurscene_stream.config.load import Loaded
from blurscene_stream.config.reading import one_line

_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"}  # to YAML


def show(loaded: Loaded) -> str:
    """Every setting with its value and, as a comment, where it came from.

    The text is a file for --config, which gives the same settings.
    """
    return "\n".join(_lines(loaded.settings, loaded, "")) + "\n"


def _lines(section: object, loaded: Loaded, prefix: str) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in _items(section):
        if is_dataclass(value) or (isinstance(value, dict) and prefix + name not in loaded.sources):
            yield f"{indent}{name}:"
            yield from _lines(value, loaded, f"{prefix}{name}.")
        else:
            yield f"{indent}{name}: {scalar(value)}   # {one_line(loaded.sources[prefix + name])}"


def _items(section: object) -> list[tuple[str, object]]:
    if isinstance(section, dict):
        return list(section.items())
    assert is_dataclass(section)
    return [(field.name, getattr(section, field.name)) for field in fields(section)]


def scalar(value: object) -> str:
    """A value as YAML has it, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(scalar(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(str(key))}: {scalar(item)}' for key, item in value.items())}}}"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    """As it is where YAML takes it for a text, else in double quotes, with what cannot be printed escaped."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_.]*", text) and text.lower() not in _NOT_TEXT:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", quoted)
