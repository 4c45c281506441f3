"""Layers of settings: values by dotted key, each with its source; a higher layer wins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

from blurscene_stream.config.files import looks_like_key
from blurscene_stream.config.keys import (
    CLASSES,
    LEAVES,
    build,
    default_of,
    expand_classes,
    is_section,
    leaf,
    names_in,
    suggestion,
)
from blurscene_stream.config.overrides import Assignment
from blurscene_stream.config.schema import BUILT_IN_V2, PAIR, PAIR_KEYS, ClassConfig, ModelConfig, Settings
from blurscene_stream.config.validation import shown
from blurscene_stream.errors import ConfigError


class Rank(IntEnum):
    """Precedence of a layer: the higher wins."""

    DEFAULT = 0
    CONFIG = 1
    ENVIRONMENT = 2
    SET = 3
    OPTION = 4


@dataclass(frozen=True)
class Value:
    """A value, its source, and the layer that it is in."""

    value: Any
    source: str
    rank: Rank


@dataclass
class Layers:
    """The values so far, by dotted key; a key with "*" stands for every class of the models."""

    values: dict[str, Value] = field(default_factory=dict)
    extra_classes: list[str] = field(default_factory=list)  # of the models beside the first

    def __post_init__(self) -> None:
        for key, node in LEAVES.items():
            if "*" not in key:
                self.values[key] = Value(node.default, "default", Rank.DEFAULT)

    @property
    def classes(self) -> list[str]:
        """The class names of all models."""
        first = tuple(PAIR) if self.has_pair else cast("tuple[str, ...]", self.values["model.classes"].value)
        return list(dict.fromkeys([*first, *self.extra_classes]))

    @property
    def has_pair(self) -> bool:
        """Whether any file of BlurScene's pair of models is given."""
        return any(self.values[key].value is not None for key in PAIR_KEYS)

    def apply(self, tree: Mapping[Any, Any], source: str, rank: Rank) -> None:
        """Apply a tree of plain values, as a YAML file has it.

        Raises ConfigError for an unknown key, and for a value that its setting does not take.
        """
        seen = set()
        for key, value in self._leaves(tree, source, ""):
            if key in seen:
                raise ConfigError(f"{source}: '{key}' is there twice")
            seen.add(key)
            self.put(key, value, source, rank)

    def put(self, key: str, value: object, source: str, rank: Rank) -> None:
        """Set one value; a key with "*" sets every class."""
        for name in expand_classes(key, self.classes):
            node = leaf(name)
            if node is None:
                raise ConfigError(f"{source}: unknown key '{name}'; {suggestion(name, self.classes)}")
            try:
                converted = node.setting.convert(name, value)
            except ConfigError as error:
                raise ConfigError(f"{source}: {error}") from error
            unchanged = rank is Rank.DEFAULT and converted == default_of(name)
            self.values[name] = Value(converted, "default" if unchanged else source, rank)

    def apply_all(self, assignments: Sequence[Assignment], rank: Rank) -> None:
        """Apply assignments in order; a mapping sets a section. Raises ConfigError."""
        for each in assignments:
            if "*" in each.key:
                self.put(each.key, each.value, each.source, rank)
            else:
                self.apply({each.key: each.value}, each.source, rank)

    def drop_checksums_and_margins(self) -> None:
        """Drop the default checksums and margins, which are of the default network and its classes, for others."""
        network, classes = self.values["model.network"], self.values["model.classes"]
        if network.value["_target_"] != BUILT_IN_V2:
            self._drop_defaults(("sha256", "onnx_sha256", "int8_sha256", "margins"), network)
        if classes.value != LEAVES["model.classes"].default:
            self._drop_defaults(("margins",), classes)

    def _drop_defaults(self, names: Sequence[str], by: Value) -> None:
        for key in (f"model.{name}" for name in names):
            if self.values[key].source == "default":
                self.put(key, None, by.source, by.rank)

    def put_model_defaults(self, extra_models: Sequence[ModelConfig]) -> None:
        """Set the thresholds and margins that the models name for their classes, where nothing else sets them.

        Scores of different networks mean different things, and some draw boxes closer: one number does not fit all.
        Where a model names none, those of any class count: the defaults of config.yaml are of the default model.
        """
        found: dict[str, Value] = {}
        for setting in ("threshold", "margin"):
            default = Value(LEAVES[f"{CLASSES}.*.{setting}"].default, "default", Rank.DEFAULT)
            found |= {f"{CLASSES}.{name}.{setting}": default for name in self.classes}
            columns = [] if self.has_pair else [(self.values["model.classes"].value, self.values[f"model.{setting}s"])]
            for model in extra_models:
                column = getattr(model, f"{setting}s")
                columns.append((model.classes, Value(column, f"model {model.name}", Rank.DEFAULT)))
            for classes, column in columns:
                for name, value in zip(classes, column.value or (), strict=False):  # ModelConfig refuses other lengths
                    found[f"{CLASSES}.{name}.{setting}"] = Value(value, column.source, Rank.DEFAULT)
        for key, value in found.items():
            if key not in self.values or self.values[key].source == "default":
                self.values[key] = value

    def settings(self) -> Settings:
        """Make the settings.

        Raises ConfigError when they do not go together.
        """
        self._complete_classes()
        values = {key: value.value for key, value in self.values.items()}
        try:
            return cast(Settings, build(Settings, values, self.classes))
        except ConfigError as error:
            sources = " and ".join(self._sources_of(str(error)))
            raise ConfigError(f"{sources}: {error}" if sources else str(error)) from error

    def _sources_of(self, refusal: str) -> list[str]:
        """Return the sources of the values that a refusal names, the highest layer first, without defaults."""
        words = set(re.findall(r"[\w.]*\w", refusal))
        named = [value for key, value in self.values.items() if key in words and value.rank > Rank.DEFAULT]
        return list(dict.fromkeys(value.source for value in sorted(named, key=lambda value: -value.rank)))

    def _leaves(self, tree: Mapping[Any, Any], source: str, prefix: str) -> Iterator[tuple[str, object]]:
        for name, value in tree.items():
            key = f"{prefix}{name}"
            if leaf(key) is not None and "*" not in key:  # "*" is for options: classes.*.threshold
                yield key, value
            elif not is_section(key):
                if not looks_like_key(key):
                    raise ConfigError(f"{source}: holds lines that are no KEY: VALUE of a setting; see --show-config")
                raise ConfigError(f"{source}: unknown key {key!r}; {suggestion(key, self.classes)}")
            elif isinstance(value, Mapping):
                yield from self._leaves(value, source, f"{key}.")
            elif value is not None:  # null: every line of the section is commented out
                keys = ", ".join(names_in(key, self.classes))
                raise ConfigError(f"{source}: {key} is a section with the keys {keys}, got {shown(value)}")

    def _complete_classes(self) -> None:
        """Set all values of each class of the models, and refuse values of other classes.

        Only defaults are dropped: a model may know other classes than the built-in one.
        """
        for key, value in list(self.values.items()):
            if key.startswith(f"{CLASSES}.") and key.split(".")[1] not in self.classes:
                if value.rank > Rank.DEFAULT:
                    raise ConfigError(f"{value.source}: unknown key '{key}'; {suggestion(key, self.classes)}")
                del self.values[key]
        for name in self.classes:
            for setting, default in vars(ClassConfig()).items():
                self.values.setdefault(f"{CLASSES}.{name}.{setting}", Value(default, "default", Rank.DEFAULT))
