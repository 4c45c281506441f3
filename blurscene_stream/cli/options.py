"""Options that several commands have, and the settings that they are loaded into."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from blurscene_stream.cli.progress import Progress
from blurscene_stream.config.load import ResolvedSettings, resolve_settings
from blurscene_stream.config.overrides import FAST, overrides_from_options
from blurscene_stream.config.schema import (
    KEEPABLE_STREAMS,
    AudioMode,
    ClassConfig,
    DetectConfig,
    RedactMethod,
    Settings,
)
from blurscene_stream.config.serialization import to_yaml
from blurscene_stream.config.validation import listed
from blurscene_stream.log_lines import set_up_logs

Command = TypeVar("Command", bound=Callable[..., Any])
Checked = TypeVar("Checked")
Option = Callable[[Any], Any]


def _threshold(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse a duration: -t is the threshold, as in deface, and not what it is in FFmpeg."""
    if value is not None and (":" in value or (value.isdigit() and int(value) >= 1)):
        raise click.UsageError(
            f"--thresh (-t) must be a score in [0, 1), got {value}; nothing is cut here: cut the result with ffmpeg -t"
        )
    return value


REDACT_METHODS = [method.name for method in RedactMethod]


def _redact_method(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Check a redaction method; there is an answer for deface's two others."""
    if value == "none":
        raise click.UsageError("--replacewith none would cover nothing; --preview draws boxes, and says so")
    if value == "img":
        raise click.UsageError("--replacewith img: no picture is put over a face; use mosaic, solid or blur")
    if value is not None and value not in REDACT_METHODS:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(map(repr, REDACT_METHODS))}.")
    return value


COMMAND_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 110},
}
_DEFAULTS, _CLASS, _DETECT = Settings(), ClassConfig(), DetectConfig()

INPUT_OPTIONS: Sequence[Option] = (
    click.option("-o", "--output", metavar="OUTPUT", help="The output: a file for one input, a folder for several."),
    click.option("-i", "inputs", metavar="INPUT", multiple=True, hidden=True, help="An input, as in FFmpeg."),
)
"""Names for what else is told by its place; these are parameters of the command."""

DETECT_OPTIONS: Sequence[Option] = (
    click.option(
        "--thresh",
        "-t",
        metavar="FLOAT",
        callback=_threshold,
        help=f"Minimum score of a box (default {_CLASS.threshold:g}). Lower finds and covers more.",
    ),
    click.option("--face-thresh", metavar="FLOAT", help="Minimum score of faces, over --thresh."),
    click.option("--plate-thresh", metavar="FLOAT", help="Minimum score of licence plates, over --thresh."),
    click.option(
        "--size",
        metavar="INTEGER",
        help=f"Longer side of the network's input in pixels (default {_DETECT.size_px}). Larger finds smaller objects.",
    ),
    click.option(
        "--fast",
        is_flag=True,
        help="Look at smaller pictures, half the time of the network; of what is small it misses more.",
    ),
    click.option(
        "--device",
        metavar="DEVICE",
        help="Device of the network: auto (default), cpu, cuda or cuda:N. One that is named must be there.",
    ),
    click.option(
        "--backend",
        metavar="NAME",
        help="Library of the network: auto (default), openvino, onnxruntime or torch. One that is named must be there.",
    ),
)
"""Detection."""

CLASS_OPTIONS: Sequence[Option] = (
    click.option("--classes", metavar="NAMES", help="Cover only these classes, such as face or license_plate."),
    click.option("--only-faces", is_flag=True, help="Cover faces alone: licence plates stay readable."),
    click.option("--only-plates", is_flag=True, help="Cover licence plates alone: faces stay visible."),
)
"""Classes that are covered."""

BATCH_OPTIONS: Sequence[Option] = (
    click.option(
        "--batch-size",
        metavar="INTEGER",
        help=f"Number of frames that the network gets at once (default {_DETECT.batch_size}).",
    ),
)
"""Batches of frames, for videos."""

BULK_OPTIONS: Sequence[Option] = (
    click.option(
        "--at-once",
        metavar="N",
        help="Of several files, work on N at the same time (default: one for each 4 cores and 2 GB, at most 8).",
    ),
)
"""Several inputs."""

REDACT_OPTIONS: Sequence[Option] = (
    click.option(
        "--replacewith",
        metavar=f"[{'|'.join(REDACT_METHODS)}]",
        callback=_redact_method,
        help="Redaction method (default mosaic).",
    ),
    click.option(
        "--mask-scale",
        metavar="FLOAT",
        help=f"Factor by which boxes are enlarged before they are covered (default {1 + 2 * _CLASS.margin:g}, "
        f"for faces {1 + 2 * _DEFAULTS.classes['face'].margin:g}).",
    ),
)
"""Redaction."""

AREA_OPTIONS: Sequence[Option] = (
    click.option(
        "--roi",
        multiple=True,
        metavar="POLYGON",
        help='Cover only boxes that touch the polygon "x,y x,y x,y ...", or the rectangle "x,y x,y".',
    ),
    click.option(
        "--exclude", multiple=True, metavar="POLYGON", help="Do NOT cover boxes that lie entirely in the polygon."
    ),
    click.option(
        "--always", multiple=True, metavar="POLYGON", help="Cover the polygon in every frame, whatever is detected."
    ),
)
"""Areas with rules of their own; each may be repeated. On the upright picture, in pixels, or all in 0..1."""

OUTPUT_OPTIONS: Sequence[Option] = (
    click.option("-y", "overwrite", is_flag=True, help="Replace the output if it exists."),
    click.option("--preview", is_flag=True, help="Draw boxes and scores instead of redacting: NOT anonymized."),
)
"""The output; these are parameters of the command."""

AUDIT_OPTIONS: Sequence[Option] = (
    click.option("--audit", metavar="FILE", help="Also add an entry for the run, with checksums, to this audit log."),
)
"""The audit log."""

ENCODE_OPTIONS: Sequence[Option] = (
    click.option(
        "-c:v",
        "-vcodec",
        "--codec",
        "codec",
        metavar="CODEC",
        help="Video codec: h264, hevc, av1, vp9, ffv1, or an FFmpeg encoder such as h264_nvenc.",
    ),
    click.option(
        "-crf",
        "--crf",
        "crf",
        metavar="INTEGER",
        help="Constant rate factor of the encoder. A lower value gives better quality and a larger file.",
    ),
    click.option("-preset", "--preset", "preset", metavar="NAME", help="Speed preset of the encoder."),
    click.option(
        "-b:v",
        "bitrate",
        metavar="RATE",
        help="Bit rate instead of constant quality, such as 4M.",
    ),
    click.option(
        "--format",
        metavar="NAME",
        help="Container that is written to a pipe: matroska (default) or mpegts.",
    ),
    click.option(
        "--audio",
        type=click.Choice([mode.name for mode in AudioMode]),
        help="Copy the audio (default), drop it, or encode it.",
    ),
)
"""Encoding."""

KEEP_OPTIONS: Sequence[Option] = (
    click.option("--keep", multiple=True, metavar="STREAMS", help=f"Also copy {listed(KEEPABLE_STREAMS)}."),
    click.option("--keep-tag", multiple=True, metavar="KEY", help="Also copy this tag, such as creation_time."),
)
"""What is copied besides video and audio; each may be repeated."""

CONFIG_OPTIONS: Sequence[Option] = (
    click.option(
        "--config", metavar="PATH", type=click.Path(path_type=Path), help="YAML file of settings, or a folder of them."
    ),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting. May be repeated."),
    click.option("--show-config", is_flag=True, help="Print all settings and the source of each, and exit."),
)
"""Settings."""

LOG_OPTIONS: Sequence[Option] = (
    click.option("--quiet", is_flag=True, help="Show no progress bar, only warnings and errors."),
    click.option("--json-log", is_flag=True, help="Log to stderr as JSON, one object a line."),
    click.option(
        "--log-level",
        metavar="LEVEL",
        help="Minimum level of log messages: debug, info (default), warning, error or critical.",
    ),
    click.version_option(package_name="blurscene-stream"),
)
"""The log on stderr."""


def options(*groups: Sequence[Option]) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of `groups` to a command, in their order."""

    def add(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def prepare(given: Mapping[str, Any], check: Callable[[], Checked]) -> tuple[Checked, Settings, Callable[[], Progress]]:
    """Check what needs no settings, load the settings and set up the log.

    given: values of CONFIG_OPTIONS, LOG_OPTIONS and the options for settings. With --show-config the settings are
        printed, and the command ends.
    check: refuses inputs and outputs; called before the settings are loaded, which takes longer

    Return the result of `check`, the settings, and what makes the progress of one task. Raises ConfigError.
    """
    if given["show_config"]:
        click.echo(to_yaml(_load(given)), nl=False)
        click.get_current_context().exit()
    checked = check()
    settings = _load(given).settings
    set_up_logs(settings.logging, given["quiet"])
    return checked, settings, partial(Progress, quiet=given["quiet"], json=settings.logging.json)


def _load(given: Mapping[str, Any]) -> ResolvedSettings:
    names = {"codec": "-c:v", "crf": "-crf", "preset": "-preset", "bitrate": "-b:v"}
    names |= {"no_audio": "-an", "audio_codec": "-c:a"}
    others = ("config", "overrides", "show_config", "quiet", "fast")
    short = {key: value for key, value in given.items() if key not in others}
    named = {names.get(key, "--" + key.replace("_", "-")): value for key, value in short.items()}
    short_options = overrides_from_options(named)
    sets = (*(FAST if given.get("fast") else ()), *given["overrides"])
    return resolve_settings(sets, config=given["config"], environment=os.environ, options=short_options)
