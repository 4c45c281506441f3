"""Keys of the schema: every setting and section by its dotted key, such as "detect.size_px"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.config.validation import Setting, settings_of

CLASSES = "classes"  # the one section whose keys are free: the names of the model's classes


@dataclass(frozen=True)
class Leaf:
    """A setting, and its default."""

    setting: Setting
    default: object


def _walk(owner: type[Any], prefix: str) -> Iterator[tuple[str, type[Any] | Leaf]]:
    settings, hints = settings_of(owner), get_type_hints(owner)
    for field in fields(owner):
        key = prefix + field.name
        if field.name in settings:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            yield key, Leaf(settings[field.name], default)
        elif key == CLASSES:
            yield key, dict
            yield f"{key}.*", ClassConfig
            yield from _walk(ClassConfig, f"{key}.*.")
        else:
            yield key, hints[field.name]
            yield from _walk(hints[field.name], f"{key}.")


_NODES = dict(_walk(Settings, ""))
LEAVES: Mapping[str, Leaf] = {key: node for key, node in _NODES.items() if isinstance(node, Leaf)}
SECTIONS: Mapping[str, type[Any]] = {key: node for key, node in _NODES.items() if not isinstance(node, Leaf)}
_CLASS_DEFAULTS: Mapping[str, object] = {
    f"{CLASSES}.{name}.{setting}": value
    for name, config in Settings().classes.items()
    for setting, value in vars(config).items()
}


def schema_key(key: str) -> str:
    """Return the key as in the schema: the name of a class becomes "*"."""
    parts = key.split(".")
    if len(parts) > 1 and parts[0] == CLASSES:
        parts[1] = "*"
    return ".".join(parts)


def leaf(key: str) -> Leaf | None:
    """Return the setting under a dotted key, or None."""
    return LEAVES.get(schema_key(key))


def default_of(key: str) -> object:
    """Return the default of the setting under a dotted key; the classes of the default model have their own.

    Raises KeyError when there is no such setting.
    """
    return _CLASS_DEFAULTS[key] if key in _CLASS_DEFAULTS else LEAVES[schema_key(key)].default


def is_section(key: str) -> bool:
    """Return whether a dotted key is a section."""
    return schema_key(key) in SECTIONS


def expand_classes(key: str, classes: list[str]) -> list[str]:
    """Return a key for each class where `key` has "*" for "every class", else the key alone."""
    return [key.replace("*", name, 1) for name in classes] if key.startswith(f"{CLASSES}.*") else [key]


def suggestion(key: str, classes: list[str]) -> str:
    """Return the hint for an unknown key: the known key that it resembles, or those of its section."""
    section, _, name = key.rpartition(".")
    here = names_in(section, classes) or names_in("", classes)
    prefix = f"{section}." if names_in(section, classes) and section else ""
    known = [other for node in LEAVES for other in expand_classes(node, classes)]
    same_name = [other for other in known if other.rpartition(".")[2] == name]
    near = (
        [prefix + other for other in get_close_matches(name, here if prefix else [], n=1)]
        or get_close_matches(key, same_name, n=1, cutoff=0)
        or get_close_matches(key, known, n=1, cutoff=0.8 if prefix else 0.6)
    )
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(here)}"


def names_in(section: str, classes: list[str]) -> list[str]:
    """Return the names in a section, of the whole tree for ""."""
    known = [name for node in _NODES for name in expand_classes(node, classes)]
    return [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == section]


def build(owner: type[Any], values: Mapping[str, object], classes: list[str], prefix: str = "") -> Any:
    """Make an `owner` (Settings, at the root) of values by dotted key.

    Raises ConfigError when the values do not go together, KeyError when one is missing.
    """
    hints = get_type_hints(owner)
    arguments: dict[str, object] = {}
    for field in fields(owner):
        key = prefix + field.name
        if key == CLASSES:
            arguments[field.name] = {name: build(ClassConfig, values, classes, f"{key}.{name}.") for name in classes}
        elif is_dataclass(hints[field.name]):
            arguments[field.name] = build(hints[field.name], values, classes, f"{key}.")
        else:
            arguments[field.name] = values[key]
    return owner(**arguments)
