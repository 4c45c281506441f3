"""The command line: `blurscene-stream INPUT OUTPUT`, and sub-commands beside it.

Only the command that is named is imported, and what it needs for its work only once its arguments are known to be good:
`--help` and most refusals load neither NumPy nor PyAV.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Mapping
from importlib import import_module

import click

from blurscene_stream.cli.arguments import check_arguments
from blurscene_stream.cli.console import end_on_signals, ignore_signals, restored_signals, resume_collection
from blurscene_stream.cli.output import occupy_standard_descriptors, redacting_streams
from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.crash_report import is_out_of_memory, type_and_place, write_traceback
from blurscene_stream.errors import INTERNAL_ERROR_EXIT_CODE, BlurSceneError
from blurscene_stream.log_lines import set_up_logs

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
    "export": "blurscene_stream.cli.export:export_command",
    "inspect": "blurscene_stream.cli.inspect:inspect_command",
    "serve": "blurscene_stream.cli.server:serve_command",
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
    gc.disable()
    arguments = sys.argv[1:]
    _set_up_first_logs(arguments)
    end_on_signals()
    occupy_standard_descriptors()
    named = bool(arguments) and arguments[0] in COMMANDS
    command_name = arguments[0] if named else DEFAULT_COMMAND
    command = load_command(command_name)
    if command_name != DEFAULT_COMMAND:  # which resumes it when all that it needs is imported
        resume_collection()
    name = f"{PROGRAM} {arguments[0]}" if named else PROGRAM
    code = run(command, arguments[named:], name)
    resume_collection()  # of a video that was refused
    ignore_signals()
    sys.exit(code)


def run(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command and return its exit code; every error becomes one line on stderr."""
    with redacting_streams(), restored_signals():
        _set_up_first_logs(arguments)
        try:
            check_arguments(name.removeprefix(PROGRAM).strip(), arguments)
            code = int(command.main(arguments, prog_name=name, standalone_mode=False) or 0)
            sys.stdout.flush()
        except click.NoSuchOption as error:
            return _exit_code(_with_whole_option(error, arguments), name)
        except BaseException as error:
            return _exit_code(error, name)
        return code


def _with_whole_option(error: click.NoSuchOption, arguments: list[str]) -> click.NoSuchOption:
    """Name an unknown option as it was typed: click takes -movie for -m, and -help for -h and -e."""
    letters = re.compile(rf"{re.escape(error.option_name)}|-[^-]*{re.escape(error.option_name.strip('-'))}")
    typed = next(filter(letters.match, arguments), error.option_name)
    whole = typed.partition("=")[0]
    return click.NoSuchOption(whole, possibilities=error.possibilities, ctx=error.ctx)


def _set_up_first_logs(arguments: list[str]) -> None:
    """Set up the logs as they are until the settings are known."""
    set_up_logs(LoggingConfig(json="--json-log" in arguments), quiet=False)


def _exit_code(error: BaseException, name: str) -> int:
    """Log an error in one line; return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    code, line = _code_and_line(error, name)
    if line:
        log.error("%s", line)
    return code


def _code_and_line(error: BaseException, name: str) -> tuple[int, str]:
    match error:
        case click.ClickException():
            return error.exit_code, f"{error.format_message().splitlines()[0]} ({name} --help tells more)"
        case Exception() if is_out_of_memory(error):  # whatever it looked like where it ran out, such as a cut file
            return 1, "there is not enough memory; close other programs, or allow more (ulimit -v, the container)"
        case BlurSceneError():
            return error.exit_code, str(error)
        case KeyboardInterrupt() | click.Abort():
            return 130, "stopped by SIGINT; nothing was left"
        case BrokenPipeError():  # the reader of our output has enough
            return 1, ""
        case Exception():
            file = write_traceback(error)
            advice = "please report it" if file is None else f"please report it; {file} tells where it happened"
            return INTERNAL_ERROR_EXIT_CODE, f"internal error: {type_and_place(error)}; {advice}"
        case _:
            raise error
