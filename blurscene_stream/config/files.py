"""Files of the configuration: the folders shipped with the package, and YAML as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from blurscene_stream.config.validation import refuse_interpolation, shown, texts_in
from blurscene_stream.credentials import redacted
from blurscene_stream.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[1]
_MAX_LINE = 300  # characters of foreign text in a message
_MAX_FILE_BYTES = 16 << 20
_MAX_ALIASED_NODES = 10_000  # in all: aliases of aliases grow without limit
_TIMESTAMP, _FLOAT = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"
_DIGITS = list("-+0123456789")


class _Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """Safe YAML loader in which dates stay text, and 1e-3 is a number.

    A key that is there twice is an error, and so are aliases (*NAME) that stand for very much.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    aliased_nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call, unused-ignore]
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if is_alias:
            self.aliased_nodes += _count_nodes(node, _MAX_ALIASED_NODES)
            if self.aliased_nodes > _MAX_ALIASED_NODES:
                raise yaml.composer.ComposerError(None, None, "aliases stand for too many values, write them out", mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                name = f" {key.value}" if looks_like_key(key.value) else ""
                raise yaml.constructor.ConstructorError(None, None, f"found duplicate key{name}", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return, unused-ignore]


_Loader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), _DIGITS)


def _count_nodes(node: yaml.Node | None, limit: int) -> int:
    """Count a node and all below it, as often as they are there; stop beyond `limit`."""
    count, left = 0, [node]
    while left and count <= limit:
        inner = left.pop()
        count += 1
        if isinstance(inner, yaml.MappingNode):
            left += [each for pair in inner.value for each in pair]
        elif isinstance(inner, yaml.SequenceNode):
            left += inner.value
    return count


def looks_like_key(text: str) -> bool:
    """Return whether a text may be a key that was mistyped, rather than a line of a file that holds no settings."""
    return re.fullmatch(r"[\w.*/-]{0,64}", text) is not None


def shipped(folder: str) -> Path:
    """Return the shipped folder "config" or "weights": inside an installed package, or beside it in a checkout."""
    inside = _PACKAGE / "shipped" / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def one_line(text: object) -> str:
    """Return the text without line breaks and unprintable characters, cut where it is very long."""
    line = redacted("".join(c if c.isprintable() else "?" for c in " ".join(str(text).split())))
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}..."


def read_text(path: Path, name: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark; `name` stands for it in errors. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        if len(data) > _MAX_FILE_BYTES:
            raise ConfigError(f"{name}: is larger than {_MAX_FILE_BYTES >> 20} MiB, too much for settings")
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: is not UTF-8 text, so not YAML") from error


def parse_yaml(text: str) -> Any:
    """Parse YAML into plain data; nothing in it is looked up or run. Raises ValueError with the reason and its line."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise ValueError(f"{line}{one_line(error.problem or 'not YAML')}") from error
    except RecursionError as error:
        raise ValueError("is nested too deep, or in a circle") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ValueError(one_line(error) or "not YAML") from error


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """Read the mapping in a YAML file; `name` stands for it in errors.

    Raises ConfigError when the file cannot be read or holds no mapping.
    """
    try:
        tree = parse_yaml(read_text(path, name))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"{name}: must hold lines of KEY: VALUE")
    return {str(key): value for key, value in (tree or {}).items()}


def read_keys(path: Path, name: str, keys: Iterable[str]) -> dict[str, Any]:
    """Read the values under dotted `keys` of a YAML file, None where there is none.

    "${key}" stands for that key's value (OmegaConf). The rest of the file may hold anything.
    Raises ConfigError as `read_yaml`, and when a value cannot be filled in.
    """
    from omegaconf import OmegaConf  # here: only BlurScene's files need it
    from omegaconf.errors import OmegaConfBaseException

    plain, found = read_yaml(path, name), {}
    try:
        tree = OmegaConf.create(plain)
    except (OmegaConfBaseException, RecursionError) as error:
        raise ConfigError(f"{name}: {_first_line(error)}") from error
    for key in keys:
        _refuse_resolvers(plain, key, name)
        try:
            node = OmegaConf.select(tree, key, throw_on_missing=True)
            found[key] = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        except (OmegaConfBaseException, RecursionError) as error:
            raise ConfigError(f"{name}: {key}: {_first_line(error)}") from error
        refuse_interpolation(found[key], f"{name}: {key}")
    return found


def _refuse_resolvers(tree: object, key: str, name: str) -> None:
    """Refuse "${oc.env:NAME}" and its kin below a key: their values are not in the file."""
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    for text in texts_in(tree):
        if re.search(r"\$\{[^{}]*:", text):
            raise ConfigError(f"{name}: {key} holds {shown(text)}: only keys of the same file stand for their values")


def _first_line(error: Exception) -> str:
    return one_line(str(error).partition("\n")[0])
