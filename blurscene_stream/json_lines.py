"""Strict JSON lines: a key that was mistyped must not pass for one that was left out.

msgspec and json's own errors name neither the value nor what is allowed, and take the last of two equal keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from blurscene_stream.config.validation import listed, shown

FLOAT32_LIMIT = 2.0**128 - 2.0**103  # what is below rounds to a finite float32
MAX_INT64 = 2**63 - 1


class LineError(ValueError):
    """A line that is refused; the message follows the name of its place."""


def parse_line(line: bytes | str) -> object:
    """Parse one line; see `parse_json`."""
    return parse_json(line, "a whole line of JSON")


def parse_json(text: bytes | str, description: str = "JSON that can be read") -> object:
    """Parse one JSON value. Duplicate keys are refused, and so are NaN and Infinity, which JSON does not have.

    Raises LineError, of what is nested too deep or has thousands of digits too.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except LineError:
        raise
    except (ValueError, RecursionError) as error:  # its text would show the line
        raise LineError(f"is not {description}") from error


def require_object(value: object, required: Sequence[str], optional: Sequence[str] | None) -> Mapping[str, object]:
    """Return `value` as an object with all keys in `required`, and no others than in `optional`; None: any others.

    Raises LineError.
    """
    if not isinstance(value, dict):
        raise LineError(f"must be an object with {', '.join(required)}, got {shown(value)}")
    if missing := [key for key in required if key not in value]:
        raise LineError(f"lacks {missing[0]!r}")
    if optional is not None and (unknown := [key for key in value if key not in (*required, *optional)]):
        raise LineError(f"has the unknown key {shown(unknown[0])}; known: {', '.join((*required, *optional))}")
    return value


def require_int(key: str, value: object, minimum: int) -> int:
    """Return `value` as a whole number that fits int64.

    Raises LineError.
    """
    if type(value) is not int or not minimum <= value <= MAX_INT64:
        raise LineError(f"{key} must be a whole number from {minimum}, got {shown(value)}")
    return value


def require_float32(key: str, value: object) -> float:
    """Return `value` as a number that fits float32.

    Raises LineError.
    """
    if type(value) not in (int, float) or not -FLOAT32_LIMIT < value < FLOAT32_LIMIT:  # type: ignore[operator]
        raise LineError(f"{key} must be a number, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def require_choice(key: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` as one of `choices`.

    Raises LineError.
    """
    if not isinstance(value, str) or value not in choices:
        raise LineError(f"{key} must be {listed(choices)}, got {shown(value)}")
    return value


def require_list(key: str, value: object) -> list[object]:
    """Return `value` as a list.

    Raises LineError.
    """
    if not isinstance(value, list):
        raise LineError(f"{key} must be a list, got {shown(value)}")
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise LineError("has a key twice")
    return content


def _refuse_constant(name: str) -> object:
    raise LineError(f"holds {name}, which is no number")
