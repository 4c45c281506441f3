"""The schema seen as dotted keys: what there is, and which known key an unknown one resembles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

from blurscene_stream.config.rules import Setting, settings_of
from blurscene_stream.config.schema import ClassConfig, Settings

CLASSES = "classes"  # the one section whose keys are free: the names of the model's classes


@dataclass(frozen=True)
class Leaf:
    """One setting of the tree, and its default."""

    setting: Setting
    default: object


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _walk(owner: type[Any], prefix: str) -> Iterator[tuple[str, type[Any] | Leaf]]:
    settings, hints = settings_of(owner), get_type_hints(owner)
    for field in fields(owner):
        key = prefix + field.name
        if field.name in settings:
            yield key, Leaf(settings[field.name], _default(field))
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


def pattern(key: str) -> str:
    """The key as the schema has it: the name of a class becomes "*"."""
    parts = key.split(".")
    if len(parts) > 1 and parts[0] == CLASSES:
        parts[1] = "*"
    return ".".join(parts)


def leaf(key: str) -> Leaf | None:
    """The setting under a dotted key, or None."""
    return LEAVES.get(pattern(key))


def is_section(key: str) -> bool:
    """Whether settings stand below a dotted key."""
    return pattern(key) in SECTIONS


def spelled_out(key: str, classes: list[str]) -> list[str]:
    """The keys that a key with "*" for "every class" stands for; any other key is itself."""
    return [key.replace("*", name, 1) for name in classes] if key.startswith(f"{CLASSES}.*") else [key]


def advice(key: str, classes: list[str]) -> str:
    """What to tell about an unknown key: the known one it resembles, or those that stand where it stood."""
    section, _, name = key.rpartition(".")
    here = below(section, classes) or below("", classes)
    prefix = f"{section}." if below(section, classes) and section else ""
    known = [other for node in LEAVES for other in spelled_out(node, classes)]
    same_name = [other for other in known if other.rpartition(".")[2] == name]
    near = (
        [prefix + other for other in get_close_matches(name, here if prefix else [], n=1)]
        or get_close_matches(key, same_name, n=1, cutoff=0)
        or get_close_matches(key, known, n=1, cutoff=0.8 if prefix else 0.6)
    )
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(here)}"


def below(section: str, classes: list[str]) -> list[str]:
    """The names that stand in a section; in the whole tree for ""."""
    known = [name for node in _NODES for name in spelled_out(node, classes)]
    return [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == section]


def built(owner: type[Any], values: Mapping[str, object], classes: list[str], prefix: str = "") -> Any:
    """An `owner` (Settings, at the root) made of the values under their dotted keys.

    Raises ConfigError when the values do not go together, KeyError when one is missing.
    """
    hints = get_type_hints(owner)
    arguments: dict[str, object] = {}
    for field in fields(owner):
        key = prefix + field.name
        if key == CLASSES:
            arguments[field.name] = {name: built(ClassConfig, values, classes, f"{key}.{name}.") for name in classes}
        elif is_dataclass(hints[field.name]):
            arguments[field.name] = built(hints[field.name], values, classes, f"{key}.")
        else:
            arguments[field.name] = values[key]
    return owner(**arguments)
