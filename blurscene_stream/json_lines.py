"""Lines of JSON, read strictly: what was mistyped must not pass for something that was left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from blurscene_stream.config.rules import listed, shown

ABOVE_FLOAT32 = 2.0**128 - 2.0**103  # what is below becomes a finite float32
LARGEST_INT64 = 2**63 - 1


class LineError(ValueError):
    """What is wrong with a line, in words that follow the name of its place."""


def loaded(line: bytes) -> object:
    """What a line holds. Each key is there once; NaN and Infinity, which are no JSON, are refused.

    Raises LineError.
    """
    try:
        return json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
    except LineError:
        raise
    except (ValueError, RecursionError) as error:  # its text would show the line
        raise LineError("is not a whole line of JSON") from error


def keys(value: object, must: Sequence[str], may: Sequence[str] | None) -> Mapping[str, object]:
    """`value` as an object with all keys in `must`, and no others than those in `may`; None: any others.

    Raises LineError.
    """
    if not isinstance(value, dict):
        raise LineError(f"must be an object with {', '.join(must)}, got {shown(value)}")
    if missing := [key for key in must if key not in value]:
        raise LineError(f"lacks {missing[0]!r}")
    if may is not None and (unknown := [key for key in value if key not in (*must, *may)]):
        raise LineError(f"has the unknown key {shown(unknown[0])}; known: {', '.join((*must, *may))}")
    return value


def whole(key: str, value: object, least: int) -> int:
    """`value` as a whole number that fits int64.

    Raises LineError.
    """
    if type(value) is not int or not least <= value <= LARGEST_INT64:
        raise LineError(f"{key} must be a whole number from {least}, got {shown(value)}")
    return value


def number(key: str, value: object) -> float:
    """`value` as a number that fits float32.

    Raises LineError.
    """
    if type(value) not in (int, float) or not -ABOVE_FLOAT32 < value < ABOVE_FLOAT32:  # type: ignore[operator]
        raise LineError(f"{key} must be a number, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def word(key: str, value: object, known: Sequence[str]) -> str:
    """`value` as one of `known`.

    Raises LineError.
    """
    if not isinstance(value, str) or value not in known:
        raise LineError(f"{key} must be {listed(known)}, got {shown(value)}")
    return value


def array(key: str, value: object) -> list[object]:
    """`value` as a list.

    Raises LineError.
    """
    if not isinstance(value, list):
        raise LineError(f"{key} must be a list, got {shown(value)}")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise LineError("has a key twice")
    return content


def _no_number(text: str) -> object:
    raise LineError(f"holds {text}, which is no number")
