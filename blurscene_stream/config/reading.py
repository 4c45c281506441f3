"""OmegaConf's part: a YAML file becomes plain values, and a plain value gets the type of its setting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError  # type: ignore[import-untyped, unused-ignore]

from blurscene_stream.config.rules import Setting, refusal, shown
from blurscene_stream.errors import ConfigError

_LONGEST = 300
_WRITTEN_OUT = "a value must be written out, ${...} is not filled in"


def one_line(text: object) -> str:
    """The text without line ends and other characters that cannot be printed, cut where it is very long."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """The keys of a YAML file; `name` stands for it in errors. Nothing in it is looked up or run.

    Raises ConfigError when it cannot be read or is no YAML mapping.
    """
    content = OmegaConf.to_container(_load(path, name), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def read_keys(path: Path, name: str, keys: Iterable[str]) -> dict[str, Any]:
    """What a YAML file holds under the dotted `keys`, None where there is nothing.

    "${key}" stands for that key's value. The rest of the file may hold anything.
    Raises ConfigError as `read_yaml`, and when a value cannot be filled in.
    """
    tree, found = _load(path, name), {}
    for key in keys:
        _refuse_lookups(OmegaConf.to_container(tree, resolve=False), key, name)
        try:
            node = OmegaConf.select(tree, key, throw_on_missing=True)
            found[key] = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        except (OmegaConfBaseException, RecursionError) as error:
            raise ConfigError(f"{name}: {key}: {yaml_reason(error)}") from error
        refuse_interpolation(found[key], f"{name}: {key}")
    return found


def _refuse_lookups(tree: object, key: str, name: str) -> None:
    """Refuse "${oc.env:NAME}" and its kin below a key: what they stand for is not in the file."""
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    for text in _texts(tree):
        if re.search(r"\$\{[^{}]*:", text):
            raise ConfigError(f"{name}: {key} holds {shown(text)}: only keys of the same file stand for their values")


def _load(path: Path, name: str) -> DictConfig:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: is not UTF-8 text, so not YAML") from error
    try:
        tree = OmegaConf.load(StringIO(text))
    except (YAMLError, OmegaConfBaseException, RecursionError, ValueError) as error:
        raise ConfigError(f"{name}: {yaml_reason(error)}") from error
    except OSError as error:  # OmegaConf's word for a lone number
        raise ConfigError(f"{name}: must hold lines of KEY: VALUE") from error
    if not isinstance(tree, DictConfig):
        raise ConfigError(f"{name}: must hold lines of KEY: VALUE")
    return tree


def yaml_reason(error: Exception) -> str:
    """Why a text is no YAML that can be used, and in which line, if that is known."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {one_line(error.problem or 'not YAML')}"
    if isinstance(error, GrammarParseError):
        return _WRITTEN_OUT
    if isinstance(error, RecursionError):
        return "is nested too deep, or in a circle"
    return one_line(str(error).splitlines()[0] if str(error) else "not YAML")


def refuse_interpolation(value: object, where: str) -> None:
    """Refuse "${...}": what it stands for would depend on the environment.

    Raises ConfigError.
    """
    for text in _texts(value):
        if "${" in text:
            raise ConfigError(f"{where} holds {shown(text)}: {_WRITTEN_OUT}")


def typed(key: str, value: object, setting: Setting) -> Any:
    """The value as its setting has it: a number for "12", a member for "mosaic".

    Raises ConfigError, which names the key, the value and what is allowed.
    """
    refuse_interpolation(value, key)
    try:
        fit = _converted(value, setting.type)
    except (OmegaConfBaseException, ArithmeticError, ValueError, TypeError) as error:
        raise refusal(key, value, setting) from error
    if not setting.takes(fit):
        raise refusal(key, value, setting)
    return fit


def _converted(value: object, kind: Any) -> Any:
    if isinstance(value, bool) is not (kind is bool):  # OmegaConf takes 12 for true, and true for the text "True"
        raise TypeError
    box = DictConfig({}, element_type=kind)
    box["value"] = value
    return cast("dict[str, Any]", OmegaConf.to_object(box))["value"]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.items():
            yield from _texts(list(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
