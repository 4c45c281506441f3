"""The command line: `blurscene-stream INPUT OUTPUT`, and sub-commands beside it."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import click

from blurscene_stream.cli.audit import audit_command
from blurscene_stream.cli.detect import detect_command
from blurscene_stream.cli.evaluate import evaluate_command
from blurscene_stream.cli.inspect import inspect_command
from blurscene_stream.cli.logs import set_up_logs
from blurscene_stream.cli.picture import picture_command
from blurscene_stream.cli.render import render_command
from blurscene_stream.cli.verify import verify_command
from blurscene_stream.cli.video import video_command
from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.errors import INTERNAL_ERROR_EXIT_CODE, BlurSceneError

log = logging.getLogger(__name__)

PROGRAM = "blurscene-stream"
COMMANDS: Mapping[str, click.Command] = {
    "video": video_command,
    "render": render_command,
    "picture": picture_command,
    "detect": detect_command,
    "evaluate": evaluate_command,
    "verify": verify_command,
    "audit": audit_command,
    "inspect": inspect_command,
}
"""A file that bears one of these names is reached as ./NAME. The first is what runs when none is named."""


def main() -> None:
    """Run the command that is named, or `video`, and leave with its exit code."""
    arguments = sys.argv[1:]
    named = bool(arguments) and arguments[0] in COMMANDS
    command = COMMANDS[arguments[0]] if named else video_command
    name = f"{PROGRAM} {arguments[0]}" if named else PROGRAM
    sys.exit(run(command, arguments[named:], name))


def run(command: click.Command, arguments: list[str], name: str) -> int:
    """The exit code of a command: every error becomes one line on stderr."""
    set_up_logs(LoggingConfig(json="--json-log" in arguments), quiet=False)  # until the settings are known
    try:
        return int(command.main(arguments, prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
        else:
            log.error("%s", f"{error.format_message().splitlines()[0]} ({name} --help tells more)")
        return error.exit_code
    except BlurSceneError as error:
        log.error("%s", str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        log.error("%s", f"internal error: {_whereabouts(error)}; please report it")
        return INTERNAL_ERROR_EXIT_CODE


def _whereabouts(error: Exception) -> str:
    """The kind of an unforeseen error and its place. Its text is left out: nobody knows what it holds."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
