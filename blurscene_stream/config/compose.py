"""Hydra's part: which files a config folder and its group choices ask for, and what an override says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError  # type: ignore[import-untyped, unused-ignore]

from blurscene_stream.config.reading import one_line, read_yaml, refuse_interpolation, yaml_reason
from blurscene_stream.errors import ConfigError

_HYDRA = Lock()  # Hydra keeps its state in globals
_QUOTING = "a value with spaces or brackets needs quotes of its own: --set \"KEY='VALUE'\""


@dataclass(frozen=True)
class Folder:
    """A config folder, and what it is called in messages."""

    path: Path
    name: str


@dataclass(frozen=True)
class Part:
    """One file of a composition: where its keys go, and the group choice ("redact=solid") that brought it, if any."""

    path: Path
    name: str
    package: str
    choice: str | None


@dataclass(frozen=True)
class Override:
    """One KEY=VALUE, as Hydra reads it."""

    text: str
    key: str
    value: object


def parsed(text: str) -> Override:
    """Read one override.

    Raises ConfigError when it is not one value for one key.
    """
    with _HYDRA:
        try:
            [override] = OverridesParser.create().parse_overrides([text])
        except (HydraException, RecursionError, ValueError) as error:
            raise ConfigError(f"--set {one_line(text)}: is not KEY=VALUE; {_QUOTING}") from error
    if override.type not in (OverrideType.CHANGE, OverrideType.FORCE_ADD) or override.package is not None:
        raise ConfigError(f"--set {one_line(text)}: settings can only be changed: KEY=VALUE, without +, ~ or @")
    if override.is_sweep_override():
        raise ConfigError(f"--set {one_line(text)}: must give one value, not several to try; {_QUOTING}")
    return Override(one_line(text), override.key_or_group, override.value())


def options(group: str, folders: Sequence[Folder]) -> list[str]:
    """What can be chosen in a group; nothing when there is no such group."""
    return sorted({file.stem for folder in folders if group for file in (folder.path / group).glob("*.yaml")})


def composition(folders: Sequence[Folder], choices: Mapping[str, str]) -> list[Part]:
    """The files that config.yaml of the first folder asks for, in the order in which they are laid over each other.

    A file that the first folder lacks comes from the next. `choices` change the files chosen in groups.
    Raises ConfigError when there is no such file, or one that Hydra cannot read.
    """
    primary = f"{folders[0].name}/config.yaml"
    refuse_interpolation(read_yaml(folders[0].path / "config.yaml", primary).get("defaults"), f"{primary}: defaults")
    with _HYDRA:
        try:
            found = _defaults_list(folders, choices)
        except MissingConfigException as error:
            raise ConfigError(f"{folders[0].name}: {_missing(error, folders)}") from error
        except (HydraException, OmegaConfBaseException, YAMLError, RecursionError, ValueError, OSError) as error:
            raise ConfigError(f"{_culprit(error, folders)}: {yaml_reason(error)}") from error
    parents = {entry.config_path: entry.parent for entry in found if entry.config_path != entry.parent}
    return [_part(entry, parents, folders, choices) for entry in found]


def _defaults_list(folders: Sequence[Folder], choices: Mapping[str, str]) -> list[ResultDefault]:
    first, *others = (str(folder.path.resolve()) for folder in folders)
    quoted = ",".join("'file://" + path.replace("\\", "\\\\").replace("'", "\\'") + "'" for path in others)
    search = f"hydra.searchpath=[{quoted}]"
    with _loader(first) as loader:
        known = choices and loader.compute_defaults_list("config", [search], RunMode.RUN).overrides.known_choices
        groups = [f"{'' if group in known else '+'}{group}={choice}" for group, choice in choices.items()]
        found = loader.compute_defaults_list("config", [search, *groups], RunMode.RUN).defaults
    return [entry for entry in found if not (entry.config_path or "").startswith("hydra/")]


@contextmanager
def _loader(folder: str) -> Iterator[ConfigLoader]:
    """Hydra's loader for a folder; a Hydra that the calling program uses is there again afterwards."""
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(folder, version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = theirs


def _missing(error: MissingConfigException, folders: Sequence[Folder]) -> str:
    wanted = error.missing_cfg_file or "config"
    there = options(wanted.rpartition("/")[0], folders)
    return f"there is no '{one_line(wanted)}'" + (f", only {', '.join(there)}" if "/" in wanted and there else "")


def _culprit(error: Exception, folders: Sequence[Folder]) -> str:
    """The file that is no YAML, as it is called in messages, or else the folder."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    for folder in folders:
        if mark is not None and Path(mark.name).is_relative_to(folder.path.resolve()):
            return f"{folder.name}/{Path(mark.name).relative_to(folder.path.resolve()).as_posix()}"
    return folders[0].name


def _part(
    entry: ResultDefault,
    parents: Mapping[str | None, str | None],
    folders: Sequence[Folder],
    choices: Mapping[str, str],
) -> Part:
    chosen = {f"{group}/{choice}": f"{group}={choice}" for group, choice in choices.items()}
    file = f"{entry.config_path}.yaml"
    for folder in folders:
        if (folder.path / file).is_file():
            choice = next((chosen[path] for path in _upwards(entry.config_path, parents) if path in chosen), None)
            return Part(folder.path / file, f"{folder.name}/{file}", entry.package or "", choice)
    raise ConfigError(f"{folders[0].name}: there is no '{entry.config_path}'")


def _upwards(path: str | None, parents: Mapping[str | None, str | None]) -> Iterator[str]:
    while path is not None:
        yield path
        path = parents.get(path)
