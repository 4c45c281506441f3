"""Validation of settings: each is declared once, in an annotation, and converted and checked whenever it is set."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, NoReturn, cast, get_args, get_origin, get_type_hints

from blurscene_stream.credentials import redacted
from blurscene_stream.errors import ConfigError

_TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_MAX_SHOWN = 100  # characters of a value in a message


@dataclass(frozen=True)
class Constraint:
    """A test of values, and how messages call the values that pass it.

    per_item: the test is one of each item of a list, and a refusal shows the first item that fails
    """

    allowed: str
    test: Callable[[Any], bool]
    per_item: bool = False

    def passes(self, value: Any) -> bool:
        """Return whether the value passes the test."""
        return all(map(self.test, value)) if self.per_item else self.test(value)

    def culprit(self, value: object) -> object:
        """Return the part of a refused value that a message shows."""
        if self.per_item and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return next((item for item in value if not self.test(item)), value)
        return value


def between(low: int, high: int, note: str = "") -> Constraint:
    """Constrain a whole number to `low`..`high`, both included."""
    return Constraint(f"in {low}..{high}{note and ': '}{note}", lambda value: low <= value <= high)


def within(interval: str) -> Constraint:
    """Constrain a number to an interval such as "[0, 1)": a round bracket excludes its end."""
    low, high = (float(end) for end in interval[1:-1].split(","))

    def test(value: float) -> bool:
        above = low <= value if interval[0] == "[" else low < value
        below = value <= high if interval[-1] == "]" else value < high
        return above and below

    return Constraint(f"in {interval}", test)


def matching(pattern: str, allowed: str) -> Constraint:
    """Constrain a text to those that `pattern` matches from end to end."""
    return Constraint(allowed, lambda value: re.fullmatch(pattern, value) is not None)


NOT_EMPTY = Constraint("text (not empty)", lambda text: bool(text.strip()))


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting: its type, its description and its constraint."""

    name: str
    type: Any
    description: str
    constraint: Constraint | None

    @property
    def allowed(self) -> str:
        """The allowed values, in words that follow "must be"."""
        inner, nullable = _without_none(self.type)
        return _allowed(inner, self.constraint) + (", or null" if nullable else "")

    def convert(self, key: str, value: object) -> Any:
        """Return the value in the type of the setting: a number for "12", a member for "mosaic", a tuple for a list.

        Raises ConfigError, which names the key, the value and what is allowed.
        """
        try:
            refuse_interpolation(value, key)
            converted = _converted(value, self.type)
            if converted is None or self.constraint is None or self.constraint.passes(converted):
                return converted
        except (ArithmeticError, LookupError, ValueError, TypeError, RecursionError) as error:
            raise self._refusal(key, value) from error
        raise self._refusal(key, value)

    def _refusal(self, key: str, value: object) -> ConfigError:
        culprit = self.constraint.culprit(value) if self.constraint else value
        return ConfigError(f"{key} must be {self.allowed}, got {shown(culprit)}")


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed; unlike a MappingProxyType it can be copied and pickled."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("settings are frozen: make a changed copy with dataclasses.replace")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def freeze(value: object) -> Any:
    """Return plain data with tuples for lists and frozen dicts for dicts; raise TypeError for other data."""
    if isinstance(value, Mapping):
        return FrozenDict({str(key): freeze(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(inner) for inner in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no plain data: {type(value).__name__}")


def settings_of(section: type[Any]) -> Mapping[str, Setting]:
    """Return the settings declared in a section itself, by name, without those of its subsections."""
    return _settings_of(cast(Any, section))  # mypy does not see that classes can be hashed


@cache
def _settings_of(section: Any) -> dict[str, Setting]:
    found = {}
    for name, hint in get_type_hints(section, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, description, *constraints = get_args(hint)
            found[name] = Setting(name, kind, description, constraints[0] if constraints else None)
    return found


@cache
def _subsections_of(section: Any) -> dict[str, type[Any]]:
    return {name: hint for name, hint in get_type_hints(section).items() if hasattr(hint, "__dataclass_fields__")}


def validate(section: Any, prefix: str = "") -> None:
    """Convert and check every value of a frozen section that is being made; `prefix` precedes names in errors.

    Raises ConfigError, which names the key, the value and what is allowed.
    """
    for name, setting in settings_of(type(section)).items():
        object.__setattr__(section, name, setting.convert(prefix + name, getattr(section, name)))
    for name, kind in _subsections_of(cast(Any, type(section))).items():
        if not isinstance(value := getattr(section, name), kind):
            raise ConfigError(f"{prefix}{name} must be a {kind.__name__}, got {shown(value)}")


def refuse_interpolation(value: object, where: str) -> None:
    """Refuse "${...}": its value would depend on the environment. Raises ConfigError."""
    for text in texts_in(value):
        if "${" in text:
            raise ConfigError(f"{where} holds {shown(text)}: a value must be written out, ${{...}} is not filled in")


def texts_in(value: object) -> Iterator[str]:
    """Yield every string in plain data, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.items():
            yield from texts_in(list(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence has them: "a, b or c"."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def shown(value: object) -> str:
    """Return the value as YAML has it, shortened where it is long."""
    constants = {None: "null", True: "true", False: "false"}
    try:
        if isinstance(value, Enum):
            text = repr(value.name)
        else:
            text = constants[value] if value is None or isinstance(value, bool) else repr(_thawed(value))
    except ValueError:  # Python prints no number of more than 4300 digits
        text = "a number of thousands of digits"
    text = redacted(text)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _thawed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _converted(value: object, kind: Any) -> Any:
    inner, nullable = _without_none(kind)
    if nullable and value is None:
        return None
    inner = _alternative(value, inner)
    if isinstance(value, bool) is not (inner is bool):  # no 12 for true, and no true for the text "True"
        raise TypeError
    if isinstance(inner, type) and issubclass(inner, Enum):
        return value if isinstance(value, inner) else inner[cast(str, value)]
    if get_origin(inner) is Mapping:
        return freeze(value) if isinstance(value, Mapping) else _raise_type_error()
    if get_origin(inner) is Sequence:
        items = value if isinstance(value, list | tuple) else _raise_type_error()
        return tuple(_converted(item, get_args(inner)[0]) for item in items)
    return _SCALARS[inner](value)


def _alternative(value: object, kind: Any) -> Any:
    """Return the part of a union such as "Enum | Sequence[int]" that `value` is meant for; other types as they are."""
    if get_origin(kind) is not UnionType:
        return kind
    is_list = isinstance(value, list | tuple)
    return next(each for each in get_args(kind) if (get_origin(each) is Sequence) is is_list)


def _raise_type_error() -> NoReturn:
    raise TypeError


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float | PurePath) else _raise_type_error()


_SCALARS: Mapping[type, Callable[[Any], Any]] = {
    bool: bool,
    int: lambda value: int(value) if isinstance(value, str) else operator.index(value),
    float: float,
    str: _text,
}


def _without_none(kind: Any) -> tuple[Any, bool]:
    if NoneType not in get_args(kind):
        return kind, False
    return next(inner for inner in get_args(kind) if inner is not NoneType), True


def _allowed(kind: Any, constraint: Constraint | None) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return listed([member.name for member in kind])
    if constraint is None:
        return _TYPE_NAMES[kind]
    return f"{_TYPE_NAMES[kind]} {constraint.allowed}" if kind in (int, float) else constraint.allowed
