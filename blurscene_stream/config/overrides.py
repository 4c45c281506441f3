"""Overrides of settings: KEY=VALUE, mappings from Python, and the short options of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blurscene_stream.config.files import one_line, parse_yaml
from blurscene_stream.errors import ConfigError

OPTIONS: Mapping[str, str] = {  # in the order in which they are applied; "*" is every class
    "--thresh": "classes.*.threshold",
    "--face-thresh": "classes.face.threshold",
    "--plate-thresh": "classes.license_plate.threshold",
    "--replacewith": "redact.method",
    "--mask-scale": "classes.*.margin",
    "--roi": "areas.roi",
    "--exclude": "areas.exclude",
    "--always": "areas.always",
    "--device": "device",
    "--backend": "detect.backend",
    "--batch-size": "detect.batch_size",
    "--at-once": "files_at_once",
    "--size": "detect.size_px",
    "--scale": "detect.size_px",
    "--classes": "classes.*.enabled",
    "--only-faces": "classes.*.enabled",
    "--only-plates": "classes.*.enabled",
    "-c:v": "encode.codec",
    "-crf": "encode.crf",
    "-preset": "encode.preset",
    "-b:v": "encode.bitrate",
    "--format": "encode.format",
    "--audio": "encode.audio",
    "-c:a": "encode.audio",
    "-an": "encode.audio",
    "--keep": "keep.streams",
    "--keep-tag": "keep.tags",
    "--json-log": "logging.json",
    "--log-level": "logging.level",
    "--log-format": "logging.format",
}
FAST = ("detect.size_px=960", "detect.variants.scales=[1.0, 0.25]")
"""What --fast stands for: a smaller input of the network, and a view less; --set goes over it."""

CLASS_CHOICES = frozenset({"--classes", "--only-faces", "--only-plates"})
ONLY = {"--only-faces": ("face",), "--only-plates": ("license_plate",)}
FFMPEG_AUDIO_ENCODERS = {"libopus": "opus", "libmp3lame": "mp3", "libfdk_aac": "aac"}
PLAIN_CLASS_NAMES = {"faces": "face", "plate": "license_plate", "plates": "license_plate"}
"""Names of classes as they are typed -> as the built-in model has them."""
_MAX_SCALE = 11.0  # a margin of 5 sides beyond each edge


_QUOTING = "a value with spaces or brackets needs quotes of its own: --set \"KEY='VALUE'\""


@dataclass(frozen=True)
class Assignment:
    """A value for a dotted key, and its source."""

    key: str
    value: object
    source: str


def parse_overrides(overrides: Mapping[str, object] | Sequence[str]) -> list[Assignment]:
    """Return the assignments of a mapping of dotted keys to values, or of KEY=VALUE texts with YAML values.

    Raises ConfigError for a text that is not one value for one key.
    """
    if isinstance(overrides, Mapping):
        return [Assignment(str(key), value, "overrides") for key, value in overrides.items()]
    if isinstance(overrides, str):
        raise ConfigError(f"overrides must be a mapping or a list of KEY=VALUE, got one text, {one_line(overrides)}")
    return [_parse_override(text) for text in overrides]


def _parse_override(text: str) -> Assignment:
    source, (key, equals, value) = f"--set {one_line(text)}", text.partition("=")
    if re.match("[+~]", key) or "@" in key:
        raise ConfigError(f"{source}: settings can only be changed: KEY=VALUE, without +, ~ or @")
    if not equals or re.search(r"\s", key):
        raise ConfigError(f"{source}: is not KEY=VALUE; {_QUOTING}")
    try:
        return Assignment(key, parse_value(value), source)
    except SeveralValuesError as error:
        raise ConfigError(f"{source}: must give one value, not several to try; {_QUOTING}") from error
    except ValueError as error:
        raise ConfigError(f"{source}: is not KEY=VALUE; {_QUOTING}") from error


class SeveralValuesError(ValueError):
    """A text holds several values in place of one."""


def parse_value(text: str) -> object:
    """Parse one YAML value in flow style; nothing at all is an empty text, and "${" is left to be refused with its key.

    Raises ValueError for a text that is no such value, SeveralValuesError for several.
    """
    if "${" in text:
        return text
    values = parse_yaml(f"[{text}]")
    if not isinstance(values, list) or len(values) > 1:
        raise SeveralValuesError
    return values[0] if values else ""


def overrides_from_options(given: Mapping[str, object]) -> list[Assignment]:
    """Return the assignments of the options in `given`, by their names in OPTIONS; None, False and () are not given.

    Raises ConfigError for a mask scale out of range; other values are checked when they are applied.
    """
    if unknown := given.keys() - OPTIONS.keys():
        raise KeyError(f"no such short options: {sorted(unknown)}")
    used = {name: given[name] for name in OPTIONS if given.get(name) not in (None, ()) and given[name] is not False}
    if len(used.keys() & CLASS_CHOICES) > 1:
        raise ConfigError("one of --classes, --only-faces and --only-plates can be given, not several")
    assignments = [each for name, value in used.items() for each in _assignments(name, value)]
    if "-crf" in used and "-b:v" not in used:  # a bitrate from a config would leave -crf without effect
        assignments.append(Assignment("encode.bitrate", None, "option -crf"))
    return assignments


def _assignments(name: str, value: object) -> list[Assignment]:
    source = f"option {name}"
    if OPTIONS[name] != "classes.*.enabled":
        return [Assignment(OPTIONS[name], _value(name, value), source)]
    names = ONLY.get(name) or [each.strip() for each in str(value).split(",")]
    enabled = [Assignment(f"classes.{PLAIN_CLASS_NAMES.get(each, each)}.enabled", True, source) for each in names]
    return [Assignment("classes.*.enabled", False, source), *enabled]


def _value(name: str, value: object) -> object:
    if name == "--mask-scale":
        return margin(value)
    if name == "--scale":
        return _longer_side(value)
    if name in ("-c:a", "-an"):
        return "drop" if name == "-an" else FFMPEG_AUDIO_ENCODERS.get(str(value), value)
    if name == "--device":
        return re.sub("^(?=[0-9])", "cuda:", re.sub("^gpu", "cuda", str(value)))
    if name == "--keep" and isinstance(value, tuple):
        return [stream.strip() for streams in value for stream in streams.split(",")]
    return list(value) if isinstance(value, tuple) else value


def _longer_side(scale: object) -> int:
    """Return the longer side of WIDTHxHEIGHT, deface's --scale."""
    match = re.fullmatch("([0-9]+)x([0-9]+)", str(scale))
    if not match:
        raise ConfigError(f"option --scale must be WIDTHxHEIGHT, such as 1280x720, got {scale!r}")
    return max(int(match[1]), int(match[2]))


def margin(scale: object) -> float:
    """Return the margin beyond each edge of a box that is scaled about its centre, as by deface's --mask-scale.

    Raises ConfigError.
    """
    try:
        factor = float(str(scale))
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= _MAX_SCALE:
        raise ConfigError(f"option --mask-scale must be a number in [1, {_MAX_SCALE:g}], got {scale!r}")
    return (factor - 1) / 2
