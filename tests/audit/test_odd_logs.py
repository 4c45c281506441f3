"""Logs of another hand, with their checksums right: one line a fault, the code of a failed check, and no waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blurscene_stream.audit.hash_chain import append
from blurscene_stream.cli import load_command, run
from blurscene_stream.errors import VERIFY_FAIL_EXIT_CODE

SUM = "0" * 64

ENTRIES: dict[str, tuple[dict[str, object], str]] = {
    "a text": ({"input": "film.mp4"}, "entry 0: its input is not described as a file"),
    "a number": ({"output": {"name": 7, "sha256": SUM}}, "entry 0: its output is not described as a file"),
    "no checksum": ({"output": {"name": "a.mp4"}}, "entry 0: its output is not described as a file"),
    "a checksum that is none": ({"input": {"name": "a", "sha256": [1]}}, "its input is not described as a file"),
    "a null character": ({"input": {"name": "a\0b", "sha256": SUM}}, "its input is not described as a file"),
    "half a character": ({"input": {"name": "\ud800", "sha256": SUM}}, "its input is not described as a file"),
    "withdrawn by an object": ({"withdrawn": {}, "input": {"name": "a", "sha256": SUM}}, "a: is not there any more"),
    "an endless device": ({"input": {"name": "/dev/zero", "sha256": SUM}}, "/dev/zero: is not a regular file any more"),
    "a named pipe": ({"input": {"name": "pipe", "sha256": SUM}}, "pipe: is not a regular file any more"),
    "a folder": ({"input": {"name": "/", "sha256": SUM}}, "/: is not a regular file any more"),
    "another size": ({"input": {"name": "log.jsonl", "sha256": SUM, "bytes": 1}}, "log.jsonl: has changed since"),
    "a long name": ({"input": {"name": "a" * 5000, "sha256": SUM}}, ": cannot be read: file name too long"),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_odd_entries_fail_the_check(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry, said = ENTRIES[what]
    os.mkfifo(tmp_path / "pipe")
    log = tmp_path / "log.jsonl"
    append(log, entry)
    code = run(load_command("audit"), ["verify", str(log), "--files"], "blurscene-stream audit")
    fault, verdict = capsys.readouterr().out.splitlines()
    assert code == VERIFY_FAIL_EXIT_CODE
    assert said in fault
    assert verdict == f"FAIL: {log} is as it was written; 1 of its 1 files are not"


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_a_log_is_a_regular_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    log = tmp_path / name
    assert run(load_command("audit"), ["verify", str(log)], "blurscene-stream audit") == 1
    said = capsys.readouterr().err
    assert said == f"blurscene-stream: error: {log}: is not a regular file, an audit log is expected\n"
