"""Arguments that hold a password in the wrong place, refused before any of their parts can get into a message."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from blurscene_stream.address import parse_address
from blurscene_stream.credentials import redacted
from blurscene_stream.errors import UsageError
from blurscene_stream.paths import FILE_FORMATS, IMAGE_FORMATS, VIDEO_EXTENSIONS

USER_AND_PASSWORD = re.compile(r"\s*[^\s:@]*:.+@[\w.-]+(:\d+)?(/.*)?\s*", re.DOTALL)  # with blanks in the password too
EXTENSIONS = VIDEO_EXTENSIONS.union(FILE_FORMATS, IMAGE_FORMATS, (".jsonl", ".json", ".yaml", ".yml", ".pt", ".log"))
FILES_ONLY = ("audit", "detect", "evaluate", "inspect", "picture")


def check_arguments(command: str, arguments: Sequence[str]) -> None:
    """Refuse what click would take for something else, or say aloud.

    An address for a command that takes files, what holds a user and a password but is no address, and a video or image
    whose name begins with a dash.

    command: its name, "" for the default one
    Raises UsageError.
    """
    _refuse_files_that_look_like_options(arguments)
    for number, argument in enumerate(arguments, 1):
        if re.match(r"\s*rtsps?://", argument, re.IGNORECASE):
            _check_address(command, argument)
        elif _holds_password(argument) and not _names_file(argument):
            raise UsageError(
                f"argument {number} seems to hold a password, and is no address of a camera: that begins with rtsp://, "
                "and then come user and password with : between them, @ and the host"
            )


def _refuse_files_that_look_like_options(arguments: Sequence[str]) -> None:
    """Refuse -old.mp4, which *.mp4 may have named: it would be taken for -o ld.mp4, and not be anonymized."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for argument in options:
        if argument.startswith("-") and Path(argument).suffix.lower() in EXTENSIONS and _names_file(argument):
            raise UsageError(
                f"{argument}: begins with a dash and would be taken for an option; "
                f"write ./{argument}, or ./*{Path(argument).suffix} where it was named by a pattern"
            )


def _check_address(command: str, argument: str) -> None:
    address = parse_address(argument)
    if command in FILES_ONLY:
        raise UsageError(f"{address}: is the address of a camera, and {command} takes files alone")
    if re.search(r"[\s\"']", address.text):
        raise UsageError("an address holds blanks or quotes: write %20 for a blank, %22 and %27 for quotes")


def _holds_password(argument: str) -> bool:
    return redacted(argument) != argument or USER_AND_PASSWORD.fullmatch(argument) is not None


def _names_file(argument: str) -> bool:
    """Whether an argument is the name of a file, or that of one that can be made."""
    try:
        path = Path(argument)
        return os.path.lexists(path) or (path.suffix.lower() in EXTENSIONS and path.parent.is_dir())
    except (OSError, ValueError):  # too long, or with a null character
        return False
