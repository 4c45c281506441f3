"""Builds what a Hydra file describes, once somebody has checked every `_target_` in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate as hydra_instantiate
from omegaconf.errors import OmegaConfBaseException

from blurscene_stream.config.reading import one_line, refuse_interpolation
from blurscene_stream.errors import ConfigError

Node = dict[str, Any]
Check = Callable[[Node], Node]
"""Takes a mapping that holds a `_target_`, and gives what is built in its place; raises ConfigError to refuse it."""

TARGET = "_target_"


def instantiate(tree: Mapping[str, Any], check: Check, where: str) -> Any:
    """What the plain values of `tree` describe, in Hydra's words: `_target_`, `_args_`, `_partial_`.

    check: sees every mapping with a `_target_`, the inner ones first, before anything is built
    where: stands before the reason in errors

    Raises ConfigError when a target is refused or cannot be built.
    """
    refuse_interpolation(tree, where)  # Hydra would fill it in, behind the back of `check`
    try:
        return hydra_instantiate(_checked(tree, check), _convert_="all")
    except (HydraException, OmegaConfBaseException, TypeError) as error:
        if isinstance(error.__cause__, ConfigError):
            raise ConfigError(f"{where}: {error.__cause__}") from error
        raise ConfigError(f"{where}: {one_line(' '.join(str(error).splitlines()[:2]))}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _checked(value: Any, check: Check) -> Any:
    if isinstance(value, Mapping):
        node = {str(key): _checked(inner, check) for key, inner in value.items()}
        if TARGET in node and not isinstance(node[TARGET], str):
            raise ConfigError(f"a {TARGET} must be a name")
        return check(node) if TARGET in node else node
    if isinstance(value, list | tuple):
        return [_checked(inner, check) for inner in value]
    return value
