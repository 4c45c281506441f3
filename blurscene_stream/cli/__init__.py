"""The command line: `blurscene-stream INPUT OUTPUT`, and sub-commands beside it.

Only the command that is named is imported, and what it needs for its work only once its arguments are known to be good:
`--help` and refusals take a tenth of a second.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click

from blurscene_stream.cli.console import set_up_logs
from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.errors import INTERNAL_ERROR_EXIT_CODE, BlurSceneError

log = logging.getLogger(__name__)

PROGRAM = "blurscene-stream"
COMMANDS: Mapping[str, str] = {
    "video": "blurscene_stream.cli.video:video_command",
    "render": "blurscene_stream.cli.video:render_command",
    "picture": "blurscene_stream.cli.image:picture_command",
    "detect": "blurscene_stream.cli.image:detect_command",
    "evaluate": "blurscene_stream.cli.evaluate:evaluate_command",
    "verify": "blurscene_stream.cli.verify:verify_command",
    "audit": "blurscene_stream.cli.verify:audit_command",
    "inspect": "blurscene_stream.cli.inspect:inspect_command",
}
"""Name of a command -> module:attribute. A file of such a name is reached as ./NAME."""
DEFAULT_COMMAND = "video"


def load_command(name: str) -> click.Command:
    """Import a command of `COMMANDS`."""
    module, _, attribute = COMMANDS[name].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def main() -> None:
    """Run the command that is named, else the default one, and exit with its exit code."""
    arguments = sys.argv[1:]
    named = bool(arguments) and arguments[0] in COMMANDS
    command = load_command(arguments[0] if named else DEFAULT_COMMAND)
    name = f"{PROGRAM} {arguments[0]}" if named else PROGRAM
    sys.exit(run(command, arguments[named:], name))


def run(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command and return its exit code; every error becomes one line on stderr."""
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
    except BrokenPipeError:  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        log.error("%s", f"internal error: {_type_and_place(error)}; please report it")
        return INTERNAL_ERROR_EXIT_CODE


def _type_and_place(error: Exception) -> str:
    """Return the type of an unforeseen error and its place; its text may hold anything, and is left out."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
