"""The options that commands share, each defined once, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from blurscene_stream.cli.logs import set_up_logs
from blurscene_stream.config.keep import STREAMS
from blurscene_stream.config.load import Loaded, load_settings
from blurscene_stream.config.options import overrides_from_options
from blurscene_stream.config.rules import listed
from blurscene_stream.config.schema import AudioMode, RedactMethod, Settings
from blurscene_stream.config.show import show

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]
COMMAND_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 110},
}

LOOK: Sequence[Option] = (
    click.option("--thresh", help="Least score of what is covered, in [0, 1): lower finds and covers more."),
    click.option("--face-thresh", help="The same for faces alone."),
    click.option("--plate-thresh", help="The same for licence plates alone."),
    click.option("--size", help="Longer side of the detector's picture: larger finds smaller things."),
    click.option("--device", help="auto, cpu, cuda or cuda:N. One that is named and missing is an error."),
)
"""How pictures are looked at."""

HIDE: Sequence[Option] = (
    click.option(
        "--replacewith", type=click.Choice([method.name for method in RedactMethod]), help="How things are hidden."
    ),
    click.option("--mask-scale", help="Scale boxes by this factor before they are covered, such as 1.8."),
)
"""How what was found is hidden."""

AREAS: Sequence[Option] = (
    click.option(
        "--roi", multiple=True, metavar="POLYGON", help='Cover only what touches "x,y x,y x,y ...", or two corners.'
    ),
    click.option("--exclude", multiple=True, metavar="POLYGON", help="Do NOT cover what lies wholly inside."),
    click.option("--always", multiple=True, metavar="POLYGON", help="Cover this in every frame, whatever is found."),
)
"""Where other rules hold; each may be repeated. On the upright picture, in pixels, or all in 0..1."""

WRITE: Sequence[Option] = (
    click.option("-y", "overwrite", is_flag=True, help="Replace OUTPUT if it exists."),
    click.option("--preview", is_flag=True, help="Draw boxes and scores instead of hiding: NOT anonymized."),
)
"""What is done with the output; these are parameters of the command."""

AUDIT: Sequence[Option] = (
    click.option("--audit", metavar="FILE", help="Also add to this log what was done to which file, with checksums."),
)
"""What is told of a run for later."""

ENCODE: Sequence[Option] = (
    click.option("-c:v", "codec", metavar="CODEC", help="h264, hevc, av1, vp9, ffv1, or such as h264_nvenc."),
    click.option("-crf", "crf", metavar="N", help="Constant quality in the encoder's own terms: lower is better."),
    click.option("-preset", "preset", metavar="NAME", help="The encoder's trade of time for size."),
    click.option("-b:v", "bitrate", metavar="RATE", help="Bit rate instead of constant quality, such as 4M."),
    click.option("--format", help="matroska or mpegts: of what goes to a pipe."),
    click.option(
        "--audio",
        type=click.Choice([sound.name for sound in AudioMode]),
        help="The sound: copy (default), drop, or encode.",
    ),
)
"""How a video is encoded."""

KEEP: Sequence[Option] = (
    click.option("--keep", multiple=True, metavar="WHAT", help=f"Also pass {listed(STREAMS)}; as they are."),
    click.option("--keep-tag", multiple=True, metavar="KEY", help="Also pass this tag, such as creation_time."),
)
"""What passes beside pictures and sound; each may be repeated."""

CONFIGURE: Sequence[Option] = (
    click.option("--config", type=click.Path(path_type=Path), help="A YAML file with settings, or a folder of them."),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting; may be repeated."),
    click.option("--show-config", is_flag=True, help="Print all settings and where each comes from, and end."),
)
"""Settings."""

TELL: Sequence[Option] = (
    click.option("--quiet", is_flag=True, help="No progress bar; warnings and errors only."),
    click.option("--json-log", is_flag=True, help="One JSON object a line on stderr."),
    click.option("--log-level", help="debug, info, warning, error or critical."),
    click.version_option(package_name="blurscene-stream"),
)
"""What is written to stderr."""


def options(*groups: Sequence[Option]) -> Callable[[Command], Command]:
    """A decorator that adds the options of `groups` to a command, in their order."""

    def add(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def begin(given: Mapping[str, Any]) -> tuple[Settings, bool]:
    """The settings that a command's other parameters come to, and whether a progress bar is wanted.

    given: what CONFIGURE, TELL and the options for settings were given; the log is set up as they say. With
        --show-config the settings are printed, and that is all that the command does.
    Raises ConfigError.
    """
    loaded = _load(given)
    if given["show_config"]:
        click.echo(show(loaded), nl=False)
        click.get_current_context().exit()
    set_up_logs(loaded.settings.logging, given["quiet"])
    return loaded.settings, not given["quiet"] and not loaded.settings.logging.json


def _load(given: Mapping[str, Any]) -> Loaded:
    names = {"codec": "-c:v", "crf": "-crf", "preset": "-preset", "bitrate": "-b:v"}
    others = ("config", "overrides", "show_config", "quiet")
    short = {key: value for key, value in given.items() if key not in others}
    named = {names.get(key, "--" + key.replace("_", "-")): value for key, value in short.items()}
    return load_settings(given["config"], given["overrides"], overrides_from_options(named))
