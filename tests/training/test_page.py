"""The commands of docs/training.md, run as they are written on tiny pictures that are drawn on the fly."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from scripts.training.__main__ import main
from tests.conftest import ROOT
from tests.training.drawn import write_yolo

PROGRAM = "python -m scripts.training "
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
COMMANDS = [shlex.split(line.removeprefix(PROGRAM)) for line in LINES if line.startswith(PROGRAM)]
README = (ROOT / "scripts" / "training" / "README.md").read_text(encoding="utf-8")
LENT = [
    shlex.split(arguments) for arguments in re.findall(rf"^(?:setsid nohup )?{PROGRAM}([^>\n]+)", README, re.MULTILINE)
]
"""The commands for a GPU that is lent for minutes."""

TINY = {
    "train": ["--steps", "2", "--size", "64", "--batch", "2", "--device", "cpu"],
    "evaluate": ["--set", "detect.size_px=128"],
    "hard": ["--set", "detect.size_px=128"],
}


def command(name: str) -> list[list[str]]:
    return [arguments for arguments in COMMANDS if arguments[0] == name]


def test_the_fine_tuning_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_yolo(tmp_path / "my_frames", 10)
    (tmp_path / "weights").symlink_to(ROOT / "weights")
    pack, *_ = command("pack")
    outputs = {}
    train, train_hard = command("train")
    for number, arguments in enumerate([pack, train, *command("evaluate"), *command("hard"), train_hard]):
        ended = CliRunner().invoke(main, [*arguments, *TINY.get(arguments[0], [])], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        outputs[number] = ended.output
    assert outputs[0] == "9 pictures to train on, 1 held out, 0 left out\n"
    assert "9 pictures on cpu\nstep 2, " in outputs[1]
    assert Path("mine.pt").stat().st_size > 6_000_000
    assert "| set      | class         | objects | AP50" in outputs[2]
    assert "| held_out | face          | 1 " in outputs[3]
    assert Path("plots/held_out.png").is_file()
    assert outputs[4].startswith("hard.jsonl: ") and outputs[4].endswith(" of 9 pictures\n")
    assert Path("better.pt").stat().st_size > 6_000_000
    (mean,) = command("mean")
    ended = CliRunner().invoke(main, mean, catch_exceptions=False)
    assert ended.output.endswith(", not calibrated\n")
    assert Path("mean.pt").stat().st_size > 6_000_000
    (calibrate,) = command("calibrate")
    ended = CliRunner().invoke(main, [*calibrate])
    assert ended.exit_code == 1
    assert "too few to calibrate" in ended.output, "one picture is not enough"


def test_the_other_commands_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sets/*", "packed/held_out", "shards"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "kept_int8.onnx").touch()
    assert {arguments[0] for arguments in LENT} >= {"shards", "train", "mean", "calibrate", "quantize", "release"}
    for arguments in [*command("fetch"), *command("label"), command("pack")[1], *LENT]:
        named = main.get_command(click.Context(main), arguments[0])
        assert named is not None and named.make_context(arguments[0], arguments[1:])


def test_an_unknown_set_and_a_missing_data_set_are_reported(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["fetch", "plates_mars", "--repositories", str(tmp_path), "--out", str(tmp_path)])
    assert "there is no set plates_mars; there are plates_openlpr, " in ended.output
    ended = CliRunner().invoke(main, ["pack", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.exit_code == 1 and "holds no annotations in a known format" in ended.output


def test_the_page_names_every_set_and_licence() -> None:
    from scripts.training.manifest import read_sets  # noqa: PLC0415

    for one in read_sets().values():
        (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{one.name}`" in line]
        assert (one.licence or "**not noted**") in row
