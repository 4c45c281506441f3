"""scripts/check_gpu: each step runs, on the CPU, and what is wrong is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="the clips' picture comes with scikit-image, the extra 'demo'")

from blurscene_stream.detect.backends.torch.device_network import OnDeviceNetwork
from blurscene_stream.detect.letterbox import letterbox_top_left
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import PIXEL_FORMATS, PictureInfo
from scripts import check_gpu, check_gpu_input

SMALL = ["--device=cpu", "--size=384x256", "--frames=9", "--compared=2", "--seconds=0", "--batches", "1", "2"]
SETTINGS = [
    "--at-once",
    "1",
    "2",
    "--set",
    "detect.size_px=384",
    "detect.precision=fp32",
    "detect.variants.rotations=none",
]


def test_every_step_runs_and_is_right_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_gpu.main([*SMALL, *SETTINGS]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    right = [name.strip("| ") for name, _, verdict in rows if verdict == "right |"]
    assert right == ["loaded and checked on cpu, torch, fp32", "boxes in 384x256_10_objects_9_frames",
                     "an error of the device in mid-run"]  # fmt: skip
    seen = " ".join(value for _, value, _ in rows)
    assert "exit code 6, nothing left; blurscene-stream: error: " in seen
    assert seen.count("pictures/s") == 6 and seen.count("frames/s") == 3


def test_boxes_that_the_device_does_not_find_are_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = OnDeviceNetwork.cells

    def blind(own: Any, images: torch.Tensor, lowest: Any) -> Any:
        return cells(own, torch.zeros_like(images), lowest)

    def nothing(*_: object) -> list[check_gpu.Row]:
        return []

    monkeypatch.setattr(OnDeviceNetwork, "cells", blind)
    monkeypatch.setattr(check_gpu, "check_error", lambda *_: ("an error", "", None))
    for step in ("check_input", "check_network", "check_runs"):
        monkeypatch.setattr(check_gpu, step, nothing)
    assert check_gpu.main([*SMALL, *SETTINGS]) == 1
    assert " missing, 0 more | WRONG |" in capsys.readouterr().out


@pytest.mark.parametrize(("levels", "right"), [(1, True), (2, False)])
def test_input_that_triton_makes_otherwise_is_wrong(levels: int, right: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_gpu_input, "has_triton", lambda _: True)
    monkeypatch.setattr(check_gpu_input, "difference", lambda *_: np.array([0, levels], np.int16))
    frame = check_gpu_input.noise(PictureInfo(32, 16, PIXEL_FORMATS["nv12"]))
    view = letterbox_top_left(frame.picture, 32, 1)
    rows = list(check_gpu_input.check_input(torch.device("cpu"), frame, view, [], 0))
    assert [verdict for *_, verdict in rows] == [right] * len(PIXEL_FORMATS)
    assert rows[0][1].endswith(f" on average, {levels} at most")


def test_a_run_that_fails_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise DetectionError("cuda:0 gives other peaks than the CPU")

    monkeypatch.setattr(check_gpu, "load_checked", refuse)
    assert check_gpu.main([*SMALL, *SETTINGS]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "| cuda:0 gives other peaks than the CPU | | WRONG |"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_gpu.main([*SMALL, *SETTINGS, "--files", str(tmp_path / "none.mp4")]) == 1
    assert "WRONG" in capsys.readouterr().out
