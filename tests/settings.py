"""Changed copies of settings, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

T = TypeVar("T")


def changed(settings: T, values: Mapping[str, object]) -> T:
    """Return a copy of settings, or of what holds them, with other values by dotted key, validated again."""
    for key, value in values.items():
        settings = _replaced(settings, key.split("."), value)
    return settings


def _replaced(section: Any, names: list[str], value: object) -> Any:
    name, *rest = names
    if isinstance(section, dict):
        return {**section, name: _replaced(section[name], rest, value) if rest else value}
    return replace(section, **{name: _replaced(getattr(section, name), rest, value) if rest else value})
