"""Standard output and error that are closed or take nothing: one line, if it can be read, and the right code."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from blurscene_stream.cli import load_command, run
from blurscene_stream.errors import DetectionError
from tests.conftest import ROOT
from tests.detectors import take_detector

CASES = (  # arguments and where they go, exit code, what is said
    ("--help >/dev/full", 9, "standard output: cannot be written: no space left on device"),
    ("--show-config >/dev/full", 9, "standard output: cannot be written: no space left on device"),
    ("inspect {walker} >/dev/full", 9, "standard output: cannot be written: no space left on device"),
    ("detect --size 64 {image} >/dev/full", 9, "standard output: cannot be written: no space left on device"),
    ("inspect {walker} >&-", 9, "standard output: cannot be written: is closed"),
    ("missing.mp4 2>&-", 1, ""),
    ("missing.mp4 2>/dev/full", 1, ""),
    ("--tresh 2>/dev/full", 2, ""),
    ("{walker} {folder}/out.xyz 2>&- >&-", 2, ""),
)


@pytest.mark.parametrize(("line", "code", "said"), CASES, ids=[row[0] for row in CASES])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_streams_that_take_nothing(
    line: str, code: int, said: str, unbuffered: str, walker: Path, tmp_path: Path
) -> None:
    if unbuffered and not line.startswith("--"):
        pytest.skip("is the same for all of them")
    command = line.format(walker=walker, folder=tmp_path, image=ROOT / "docs" / "before_after.png")
    ended = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m blurscene_stream {command}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert ended.stderr == (f"blurscene-stream: error: {said}\n" if said else "")


def raising_out_of_memory(_: object) -> NoReturn:
    try:
        raise RuntimeError("Exception from src/inference/core.cpp:97: std::bad_alloc")
    except RuntimeError as error:
        raise DetectionError("the network failed") from error


def test_too_little_memory_is_told_as_such(walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it looked like where it ran out: a failed network, a damaged file, an output that cannot be written."""
    with pytest.MonkeyPatch.context() as patched:
        take_detector(raising_out_of_memory, patched)
        assert run(load_command("video"), [str(walker), str(tmp_path / "out.mp4")], "blurscene-stream") == 1
    assert "error: there is not enough memory; close other programs" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
