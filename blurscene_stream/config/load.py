"""Loading of settings from config files, overrides and options, each value with its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blurscene_stream.config.blurscene import apply_blurscene
from blurscene_stream.config.environment import environment_config, parse_environment, refuse_unknown_variables
from blurscene_stream.config.files import one_line, read_text, read_yaml, shipped
from blurscene_stream.config.layers import Layers, Rank
from blurscene_stream.config.model_files import read_model
from blurscene_stream.config.overrides import Assignment, parse_overrides
from blurscene_stream.config.schema import Settings
from blurscene_stream.config.validation import refuse_interpolation, shown
from blurscene_stream.errors import ConfigError

_ENTRY = re.compile(r"\w[\w-]*(/\w[\w-]*)*")
_PACKAGE_HEADER = re.compile(r"\s*#\s*@package\s+(\S+)")


@dataclass(frozen=True)
class ResolvedSettings:
    """The settings, and the source of each value by dotted key."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    overrides: Mapping[str, object] | Sequence[str] = (),
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Load the settings: the defaults, then `config`, then `environment`, then `overrides`.

    overrides:   dotted keys with their values, {"redact.method": "solid"}, or KEY=VALUE texts with YAML values;
                 {"redact": "solid"} chooses the file solid.yaml of the group redact
    config:      a YAML file with some keys, or a folder with a config.yaml (groups that it lacks are the shipped ones)
    environment: os.environ, or any mapping with variables such as BLURSCENE_DETECT__SIZE_PX; BLURSCENE_CONFIG counts
                 where `config` is None. None: no variable counts

    Raises ConfigError: one line with the source, the key, the value and what is allowed.
    """
    return resolve_settings(overrides, config=config, environment=environment).settings


def resolve_settings(
    overrides: Mapping[str, object] | Sequence[str] = (),
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[Assignment] = (),
) -> ResolvedSettings:
    """Load the settings as `load_settings` does, then apply `options`; keep the source of each value."""
    config = config or environment_config(environment or {})
    folders = _folders(config)
    variables = _split_choices(parse_environment(environment or {}), folders)
    refuse_unknown_variables(variables.changes)
    sets = _split_choices(parse_overrides(overrides), folders)
    layers = Layers()
    files = list(_Composition(folders, {**variables.choices, **sets.choices}).files("config.yaml", ""))
    for file in files:
        layers.apply(file.tree, file.name, Rank.CONFIG if len(folders) > 1 else Rank.DEFAULT)
    if config is not None and not config.is_dir():
        layers.apply(_read_user_file(config), one_line(config), Rank.CONFIG)
    for layer, rank in ((variables, Rank.ENVIRONMENT), (sets, Rank.SET)):
        for file in files:  # again: a choice of a higher layer wins over `config`
            if file.choice is not None and file.choice in layer.choices.values():
                layers.apply(file.tree, file.choice.source, rank)
        layers.apply_all(layer.changes, rank)
    layers.drop_checksums_and_margins()
    models = [read_model(file) for file in layers.values["extra_models"].value]
    layers.extra_classes = [name for model in models for name in model.classes]
    layers.apply_all(options, Rank.OPTION)
    layers.put_model_defaults(models)
    apply_blurscene(layers)
    return ResolvedSettings(layers.settings(), {key: value.source for key, value in layers.values.items()})


@dataclass(frozen=True)
class _Folder:
    """A config folder, and its name in messages."""

    path: Path
    name: str

    def choices(self, group: str) -> set[str]:
        return {file.stem for file in (self.path / group).glob("*.yaml")} if re.fullmatch(r"\w+", group) else set()


@dataclass(frozen=True)
class _ConfigFile:
    """One file of a composition: its tree from the root of the settings, and the override that chose it, if any."""

    tree: Mapping[str, Any]
    name: str
    choice: Assignment | None


@dataclass(frozen=True)
class _Composition:
    """Expansion of defaults lists, in Hydra's form, of which these entries are known: _self_, NAME and GROUP: CHOICE.

    Hydra's own `compose` returns the merged values without the file of each, and takes 0.1 s.

    folders: a file that the first one lacks comes from the next
    choices: overrides that choose the file of a group, by group
    """

    folders: Sequence[_Folder]
    choices: Mapping[str, Assignment]

    def files(
        self, file: str, package: str, choice: Assignment | None = None, parents: tuple[str, ...] = ()
    ) -> Iterator[_ConfigFile]:
        """Yield a file and those of its defaults list, in the order in which they are applied."""
        folder = next((folder for folder in self.folders if (folder.path / file).is_file()), None)
        if folder is None:
            raise ConfigError(f"{self.folders[0].name}: there is no '{one_line(file[:-5])}'{self._known(file)}")
        name = f"{folder.name}/{file}"
        if file in parents:
            raise ConfigError(f"{name}: its defaults list leads back to itself")
        tree = read_yaml(folder.path / file, name)
        entries = _defaults_list(tree.pop("defaults", []), name)
        if found := _PACKAGE_HEADER.match(read_text(folder.path / file, name)):
            package = found[1].replace("_global_", "")
        group = file.rpartition("/")[0]
        if not parents:
            named = [inner for inner, _ in entries if inner]
            entries += [(inner, "") for inner in self.choices if inner not in named]
        for inner, entry in entries:
            if entry == "_self_":
                yield _ConfigFile(_nested(tree, package), name, choice)
                continue
            chosen = self.choices.get(inner) if not group else None
            path = "/".join(filter(None, (group, inner, str(chosen.value) if chosen else entry)))
            below = ".".join(filter(None, (package, inner.replace("/", "."))))
            yield from self.files(f"{path}.yaml", below, chosen or choice, (*parents, file))

    def _known(self, file: str) -> str:
        known = sorted({name for folder in self.folders for name in folder.choices(file.rpartition("/")[0])})
        return f", only {', '.join(known)}" if known else ""


def _defaults_list(value: object, name: str) -> list[tuple[str, str]]:
    """Return the pairs of group and choice in a defaults list; "_self_" and other files have no group."""
    refuse_interpolation(value, f"{name}: defaults")
    pairs: list[tuple[str, str]] = []
    for entry in value if isinstance(value, list) else [value]:
        group, choice = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else ("", entry)
        if not isinstance(choice, str) or not _ENTRY.fullmatch(choice) or not _ENTRY.fullmatch(str(group) or "_"):
            raise ConfigError(f"{name}: defaults must be a list of _self_, NAME and GROUP: CHOICE, got {shown(entry)}")
        pairs.append((str(group), choice))
    return pairs if ("", "_self_") in pairs else [*pairs, ("", "_self_")]


def _nested(tree: Mapping[str, Any], package: str) -> Mapping[str, Any]:
    for name in reversed(package.split(".") if package else []):
        tree = {name: tree}
    return tree


def _folders(config: Path | None) -> list[_Folder]:
    ours = _Folder(shipped("config"), "config")
    if not (ours.path / "config.yaml").is_file():
        raise ConfigError("config: the folder that comes with the package is missing; install the package again")
    if config is None or not config.is_dir():
        return [ours]
    if not (config / "config.yaml").is_file():
        raise ConfigError(f"{one_line(config)}: has no config.yaml; a config folder needs one")
    return [_Folder(config, one_line(config)), ours]


@dataclass(frozen=True)
class _Overrides:
    """Overrides of one layer: choices of a group's file, by group, and changes of values."""

    choices: Mapping[str, Assignment]
    changes: Sequence[Assignment]


def _split_choices(overrides: Sequence[Assignment], folders: Sequence[_Folder]) -> _Overrides:
    choices, changes = {}, []
    for each in overrides:
        known = sorted({name for folder in folders for name in folder.choices(each.key)})
        if not known or isinstance(each.value, Mapping):
            changes.append(each)
        elif each.value in known:
            choices[each.key] = each
        else:
            value = shown(each.value)
            raise ConfigError(f"{each.source}: {each.key} must be one of {', '.join(known)}, got {value}")
    return _Overrides(choices, changes)


def _read_user_file(config: Path) -> Mapping[str, Any]:
    name = one_line(config)
    if not config.exists():
        raise ConfigError(f"{name}: there is no such file or folder")
    tree = read_yaml(config, name)
    if "defaults" in tree:
        raise ConfigError(f"{name}: 'defaults' chooses files of a config folder; give the folder instead of the file")
    return tree
