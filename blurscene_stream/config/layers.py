"""Values laid over each other, each with the place that it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

from blurscene_stream.config.models import PAIR, PAIR_KEYS
from blurscene_stream.config.reading import typed
from blurscene_stream.config.rules import shown
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.config.tree import CLASSES, LEAVES, advice, below, built, is_section, leaf, spelled_out
from blurscene_stream.errors import ConfigError


class Rank(IntEnum):
    """Who wins: the higher."""

    DEFAULT = 0
    CONFIG = 1
    SET = 2
    OPTION = 3


@dataclass(frozen=True)
class Value:
    """What a setting is, and why."""

    value: Any
    source: str
    rank: Rank


@dataclass
class Layers:
    """The values so far, under their dotted keys; a key with "*" stands for every class that the model has."""

    values: dict[str, Value] = field(default_factory=dict)
    extra_classes: list[str] = field(default_factory=list)  # of the models beside the first

    def __post_init__(self) -> None:
        for key, node in LEAVES.items():
            if "*" not in key:
                self.values[key] = Value(node.default, "default", Rank.DEFAULT)

    @property
    def classes(self) -> list[str]:
        """The names of the models' classes."""
        first = list(PAIR) if self.has_pair else cast("list[str]", self.values["model.classes"].value)
        return list(dict.fromkeys([*first, *self.extra_classes]))

    @property
    def has_pair(self) -> bool:
        """Whether any of BlurScene's models was named."""
        return any(self.values[key].value is not None for key in PAIR_KEYS)

    def lay(self, tree: Mapping[Any, Any], source: str, rank: Rank, prefix: str = "") -> None:
        """Lay a tree of plain values on top, as a YAML file has it.

        Raises ConfigError for an unknown key, and for a value that its setting does not take.
        """
        seen = set()
        for key, value in self._leaves(tree, source, prefix):
            if key in seen:
                raise ConfigError(f"{source}: '{key}' is there twice")
            seen.add(key)
            self.put(key, value, source, rank)

    def put(self, key: str, value: object, source: str, rank: Rank) -> None:
        """Lay one value on top; a key with "*" sets every class."""
        for name in spelled_out(key, self.classes):
            node = leaf(name)
            if node is None:
                raise ConfigError(f"{source}: unknown key '{name}'; {advice(name, self.classes)}")
            try:
                fit = typed(name, value, node.setting)
            except ConfigError as error:
                raise ConfigError(f"{source}: {error}") from error
            unchanged = rank is Rank.DEFAULT and fit == node.default
            self.values[name] = Value(fit, "default" if unchanged else source, rank)

    def settings(self) -> Settings:
        """The settings that the values make.

        Raises ConfigError when they do not go together.
        """
        self._complete_classes()
        values = {key: value.value for key, value in self.values.items()}
        try:
            return cast(Settings, built(Settings, values, self.classes))
        except ConfigError as error:
            places = " and ".join(self._places_named(str(error)))
            raise ConfigError(f"{places}: {error}" if places else str(error)) from error

    def _places_named(self, refusal: str) -> list[str]:
        """Where the values come from that a refusal is about, the one that has the last word first; no defaults."""
        words = set(re.findall(r"[\w.]*\w", refusal))
        named = [value for key, value in self.values.items() if key in words and value.rank > Rank.DEFAULT]
        return list(dict.fromkeys(value.source for value in sorted(named, key=lambda value: -value.rank)))

    def _leaves(self, tree: Mapping[Any, Any], source: str, prefix: str) -> Iterator[tuple[str, object]]:
        for name, value in tree.items():
            key = f"{prefix}{name}"
            if leaf(key) is not None and "*" not in key:  # "*" is for options: classes.*.threshold
                yield key, value
            elif not is_section(key):
                raise ConfigError(f"{source}: unknown key {key!r}; {advice(key, self.classes)}")
            elif isinstance(value, Mapping):
                yield from self._leaves(value, source, f"{key}.")
            elif value is not None:  # null: every line of the section is commented out
                keys = ", ".join(below(key, self.classes))
                raise ConfigError(f"{source}: {key} is a section with the keys {keys}, got {shown(value)}")

    def _complete_classes(self) -> None:
        """Give each class of the model all its values, and refuse what was set for another class.

        Only defaults are dropped: a model may know other classes than the built-in one.
        """
        for key, value in list(self.values.items()):
            if key.startswith(f"{CLASSES}.") and key.split(".")[1] not in self.classes:
                if value.rank > Rank.DEFAULT:
                    raise ConfigError(f"{value.source}: unknown key '{key}'; {advice(key, self.classes)}")
                del self.values[key]
        for name in self.classes:
            for setting, default in vars(ClassConfig()).items():
                self.values.setdefault(f"{CLASSES}.{name}.{setting}", Value(default, "default", Rank.DEFAULT))
