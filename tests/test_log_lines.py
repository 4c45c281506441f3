"""What is written to stderr is one line a message, whatever a file is called."""

from __future__ import annotations

import json
import logging

import pytest

from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.log_lines import set_up_logs

log = logging.getLogger("blurscene_stream.test")

NASTY = {  # name of a file -> as it is written
    "two\nlines.mp4": r"two\nlines.mp4",
    "red\x1b[31m.mp4": r"red\x1b[31m.mp4",
    "back\r\x07.mp4": r"back\r\x07.mp4",
    "\x9b2J.mp4": r"\x9b2J.mp4",
    "tab\t.mp4": r"tab\t.mp4",
    "ünï 影.mp4": "ünï 影.mp4",
    "back\\slash.mp4": "back\\slash.mp4",
}


@pytest.mark.parametrize("name", NASTY)
def test_a_line_stays_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LoggingConfig(), quiet=False)
    log.error("%s: there is no such file", name)
    assert capsys.readouterr().err == f"blurscene-stream: error: {NASTY[name]}: there is no such file\n"


@pytest.mark.parametrize("name", NASTY)
def test_a_line_of_json_tells_the_name_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LoggingConfig(json=True), quiet=False)
    log.error("%s: there is no such file", name)
    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert len(lines) == 1
    assert json.loads(lines[0])["message"] == f"{name}: there is no such file"


def test_a_format_may_hold_what_a_message_may_not(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LoggingConfig(format="%(levelname)s\t%(message)s"), quiet=False)
    log.info("a\tb")
    assert capsys.readouterr().err == "INFO\ta\\tb\n"


@pytest.mark.parametrize(("quiet", "level", "told"), [(False, "info", 3), (True, "info", 2), (True, "error", 1)])
def test_quiet_leaves_warnings_and_errors(
    quiet: bool, level: str, told: int, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(LoggingConfig(level=level), quiet)
    log.info("told")
    log.warning("warned")
    log.error("failed")
    assert len(capsys.readouterr().err.splitlines()) == told
