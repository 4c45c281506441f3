"""Exit codes are part of what users script against."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from blurscene_stream import errors
from blurscene_stream.config.overrides import OPTIONS
from tests.conftest import ROOT

ROOMS = ("source", "detect", "track", "redact", "sink", "image", "pipeline")
MODULES = [path for room in ROOMS for path in sorted((ROOT / "blurscene_stream" / room).rglob("*.py"))]


def _tree(kind: type[errors.BlurSceneError]) -> list[type[errors.BlurSceneError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _tree(child))]


def test_every_error_says_its_exit_code_in_the_tree_at_the_top() -> None:
    lines = (errors.__doc__ or "").splitlines()
    for kind in _tree(errors.BlurSceneError):
        line = next(line for line in lines if kind.__name__ in line.split())
        code = 130 if kind is errors.StoppedError else kind.exit_code
        assert str(code) in line.split()


def test_codes_kept_for_verify_are_not_used() -> None:
    assert not {kind.exit_code for kind in _tree(errors.BlurSceneError)} & {0, 4, 5, errors.INTERNAL_ERROR_EXIT_CODE}


def test_a_stop_has_the_exit_code_that_shells_expect() -> None:
    assert [errors.StoppedError("", number).exit_code for number in (2, 15)] == [130, 143]


def test_a_reason_holds_no_file_name() -> None:
    assert errors.reason(PermissionError(13, "Permission denied", "rtsp://user:secret@host")) == "permission denied"
    assert errors.reason(ValueError("rtsp://user:secret@host")) == "valueerror"


def test_what_a_library_says_becomes_one_line() -> None:
    assert errors.first_line(RuntimeError("\n  \nout of memory\nat 0x1")) == "out of memory"
    assert errors.first_line(RuntimeError("x" * 1000)) == "x" * 200
    assert errors.first_line(RuntimeError()) == "no reason given"


def _messages(module: Path) -> Iterator[str]:
    """All texts of a module but its docstrings, with {} for values."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_an_option_that_is_the_way_out_is_named_with_its_setting(module: Path) -> None:
    """Who calls from Python, or has a file of settings, knows no options."""
    for message in _messages(module):
        for option in re.findall(r"(?<![\w-])--?[a-z][\w:-]*", message):
            assert OPTIONS.get(option, "") in message, message
