"""Settings from environment variables: BLURSCENE_DETECT__SIZE_PX=1920 is detect.size_px."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from blurscene_stream.config.files import one_line
from blurscene_stream.config.keys import LEAVES, SECTIONS, is_section, leaf
from blurscene_stream.config.overrides import Assignment, parse_value
from blurscene_stream.errors import ConfigError

PREFIX = "BLURSCENE_"
CONFIG_VARIABLE = "BLURSCENE_CONFIG"
RESERVED = frozenset({CONFIG_VARIABLE, "BLURSCENE_TOKEN", "BLURSCENE_TORCH"})
"""Variables that are no settings: the --config of a container, the token of the HTTP service, PyTorch for scripts/."""


def variable(key: str) -> str:
    """Return the name of the variable of a dotted key."""
    return PREFIX + key.replace(".", "__").upper()


def environment_config(environment: Mapping[str, str]) -> Path | None:
    """Return the path in BLURSCENE_CONFIG, None where it is not set. Raises ConfigError for an empty one."""
    path = environment.get(CONFIG_VARIABLE)
    if path is not None and not path.strip():
        raise ConfigError(f"environment {CONFIG_VARIABLE}: must be the path of a file or folder, got ''")
    return None if path is None else Path(path)


def parse_environment(environment: Mapping[str, str]) -> list[Assignment]:
    """Return the assignments of all variables that begin with `PREFIX`, a section before the values in it.

    Raises ConfigError, without the value, which may be a secret, for one that is not one YAML value.
    """
    names = sorted(name for name in environment if name.startswith(PREFIX) and name not in RESERVED)
    return [_assignment(name, environment[name]) for name in names]


def _assignment(name: str, text: str) -> Assignment:
    key, source = name[len(PREFIX) :].lower().replace("__", "."), f"environment {one_line(name)}"
    if name != variable(key):
        raise _unknown(name)
    try:
        return Assignment(key, parse_value(text), source)
    except ValueError as error:
        raise ConfigError(f"{source}: must be one YAML value, such as 12, solid, [a, b] or '%(message)s'") from error


def refuse_unknown_variables(changes: Sequence[Assignment]) -> None:
    """Refuse changes of what is neither a setting nor a section. Raises ConfigError with a variable that is."""
    for each in changes:
        if leaf(each.key) is None and not is_section(each.key):
            raise _unknown(variable(each.key))


def _unknown(name: str) -> ConfigError:
    known = [variable(key) for key in (*LEAVES, *SECTIONS) if "*" not in key] + sorted(RESERVED)
    rest = {each[len(PREFIX) :]: each for each in known}  # the prefix would make all of them alike
    if near := get_close_matches(name[len(PREFIX) :].upper(), rest, n=1):
        advice = f"did you mean {rest[near[0]]}?"
    else:
        advice = (
            f"{variable('detect.size_px')} is detect.size_px, and so on; reserved are {', '.join(sorted(RESERVED))}"
        )
    return ConfigError(f"environment {one_line(name)}: there is no such setting; {advice}")
