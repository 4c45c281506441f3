"""From files, overrides and options to one `Settings`, with the source of every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blurscene_stream.config.blurscene import apply_blurscene
from blurscene_stream.config.compose import Folder, Override, Part, composition, options, parsed
from blurscene_stream.config.layers import Layers, Rank
from blurscene_stream.config.model_files import forget_checksum, read_model
from blurscene_stream.config.options import Assignment
from blurscene_stream.config.reading import one_line, read_yaml, refuse_interpolation
from blurscene_stream.config.rules import shown
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.resources import shipped


@dataclass(frozen=True)
class Loaded:
    """The settings, and for each dotted key where its value came from."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    config: Path | None = None, overrides: Sequence[str] = (), assignments: Sequence[Assignment] = ()
) -> Loaded:
    """Read the defaults, lay `config`, `overrides` and `assignments` over them, and check every value.

    config:      a folder with a config.yaml (groups that it lacks are taken from ours), or a YAML file with some keys
    overrides:   KEY=VALUE in Hydra's syntax, GROUP=CHOICE among them
    assignments: what the short options say (options.py)

    Raises ConfigError: one line with the place, the key, the value and what is allowed.
    """
    folders = _folders(config)
    choices, changes = _sorted_out([parsed(text) for text in overrides], folders)
    layers = Layers()
    parts = composition(folders, choices)
    for part in parts:
        _lay_part(layers, part, folders)
    if config is not None and not config.is_dir():
        _lay_file(layers, config)
    for part in parts:  # again: what was asked for on the command line wins over `config`
        if part.choice is not None:
            _lay_part(layers, part, folders, f"--set {part.choice}")
    for change in changes:
        layers.lay({change.key: change.value}, f"--set {change.text}", Rank.SET)
    forget_checksum(layers)
    models = [read_model(file) for file in layers.values["extra_models"].value]
    layers.extra_classes = [name for model in models for name in model.classes]
    for assignment in assignments:
        layers.put(assignment.key, assignment.value, assignment.source, Rank.OPTION)
    apply_blurscene(layers)
    settings = layers.settings()
    return Loaded(settings, {key: value.source for key, value in layers.values.items()})


def _folders(config: Path | None) -> list[Folder]:
    ours = Folder(shipped("config"), "config")
    if not (ours.path / "config.yaml").is_file():
        raise ConfigError("config: the folder that comes with the package is missing; install the package again")
    if config is None or not config.is_dir():
        return [ours]
    if not (config / "config.yaml").is_file():
        raise ConfigError(f"{one_line(config)}: has no config.yaml; a config folder needs one")
    return [Folder(config, one_line(config)), ours]


def _sorted_out(overrides: Sequence[Override], folders: Sequence[Folder]) -> tuple[dict[str, str], list[Override]]:
    """The choices in groups, and the changes of values."""
    choices, changes = {}, []
    for override in overrides:
        there = options(override.key, folders)
        if not there or isinstance(override.value, dict):
            changes.append(override)
        elif override.value in there:
            choices[override.key] = str(override.value)
        else:
            raise ConfigError(
                f"--set {override.text}: {override.key} must be one of {', '.join(there)}, got {shown(override.value)}"
            )
    return choices, changes


def _lay_part(layers: Layers, part: Part, folders: Sequence[Folder], source: str | None = None) -> None:
    tree = read_yaml(part.path, part.name)
    refuse_interpolation(tree.pop("defaults", None), f"{part.name}: defaults")
    for name in reversed(part.package.split(".") if part.package else []):
        tree = {name: tree}
    if source is not None:
        layers.lay(tree, source, Rank.SET)
    else:
        layers.lay(tree, part.name, Rank.CONFIG if len(folders) > 1 else Rank.DEFAULT)


def _lay_file(layers: Layers, config: Path) -> None:
    name = one_line(config)
    if not config.exists():
        raise ConfigError(f"{name}: there is no such file or folder")
    tree = read_yaml(config, name)
    if "defaults" in tree:
        raise ConfigError(f"{name}: 'defaults' chooses files of a config folder; give the folder instead of the file")
    layers.lay(tree, name, Rank.CONFIG)
