"""What a setting means and which values it takes: written in its annotation, checked and printed from there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

from blurscene_stream.errors import ConfigError

_TYPES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}

_LONGEST = 100


@dataclass(frozen=True)
class Rule:
    """Which values of a type are allowed: in words, and as a test.

    of_items: the test is one of each item of a list, and a refusal shows the first that fails
    """

    allowed: str
    good: Callable[[Any], bool]
    of_items: bool = False

    def takes(self, value: Any) -> bool:
        """Whether the value passes the test."""
        return all(map(self.good, value)) if self.of_items else self.good(value)

    def culprit(self, value: object) -> object:
        """What of a refused value is to be shown."""
        if self.of_items and isinstance(value, list) and all(isinstance(item, str) for item in value):
            return next((item for item in value if not self.good(item)), value)
        return value


def between(low: int, high: int, note: str = "") -> Rule:
    """A whole number from `low` to `high`, both included."""
    return Rule(f"in {low}..{high}{note and ': '}{note}", lambda value: low <= value <= high)


def within(interval: str) -> Rule:
    """A number in an interval such as "[0, 1)": a round bracket leaves its end out."""
    low, high = (float(end) for end in interval[1:-1].split(","))

    def good(value: float) -> bool:
        above = low <= value if interval[0] == "[" else low < value
        below = value <= high if interval[-1] == "]" else value < high
        return above and below

    return Rule(f"in {interval}", good)


def matching(pattern: str, allowed: str) -> Rule:
    """A text that `pattern` matches from end to end."""
    return Rule(allowed, lambda value: re.fullmatch(pattern, value) is not None)


@dataclass(frozen=True)
class Setting:
    """One setting of a section."""

    name: str
    type: Any
    meaning: str
    rule: Rule | None

    @property
    def allowed(self) -> str:
        """What its value may be, in words that follow "must be"."""
        inner, null = _without_none(self.type)
        return _words(inner, self.rule) + (", or null" if null else "")

    def takes(self, value: object) -> bool:
        """Whether a value of the right type is allowed."""
        return value is None or self.rule is None or self.rule.takes(value)


def listed(names: Sequence[str]) -> str:
    """The names as a sentence has them: "a, b or c"."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _without_none(kind: Any) -> tuple[Any, bool]:
    if NoneType not in get_args(kind):
        return kind, False
    return next(inner for inner in get_args(kind) if inner is not NoneType), True


def _words(kind: Any, rule: Rule | None) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return listed([member.name for member in kind])
    if rule is None:
        return _TYPES[kind]
    return f"{_TYPES[kind]} {rule.allowed}" if kind in (int, float) else rule.allowed


def settings_of(section: type[Any]) -> dict[str, Setting]:
    """The settings that stand in the section itself, by name; the sections inside it are left out."""
    return _settings_of(cast(Any, section))  # mypy does not see that classes can be hashed


@cache
def _settings_of(section: Any) -> dict[str, Setting]:
    found = {}
    for name, hint in get_type_hints(section, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, meaning, *rules = get_args(hint)
            found[name] = Setting(name, kind, meaning, rules[0] if rules else None)
    return found


def check(config: Any, prefix: str = "") -> None:
    """Hold every value of a section against its rule; `prefix` goes before the names in the error.

    Raises ConfigError, which names the key, the value and what is allowed.
    """
    for name, setting in settings_of(type(config)).items():
        value = getattr(config, name)
        if not setting.takes(value):
            raise refusal(prefix + name, value, setting)


def shown(value: object) -> str:
    """The value as YAML has it, and not at full length when it is long."""
    words = {None: "null", True: "true", False: "false"}
    try:
        text = words[value] if value is None or isinstance(value, bool) else repr(value)
    except ValueError:  # Python prints no number of more than 4300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def refusal(key: str, value: object, setting: Setting) -> ConfigError:
    """The error for a value that `setting` does not take."""
    culprit = setting.rule.culprit(value) if setting.rule else value
    return ConfigError(f"{key} must be {setting.allowed}, got {shown(culprit)}")
