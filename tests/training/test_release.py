"""A release of weights: the project's files follow from them, and the detector then loads them."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.backends.onnx_file import read_onnx
from blurscene_stream.detect.backends.torch.state_dict import read_weights
from blurscene_stream.errors import ConfigError
from scripts.training.export import export_to_onnx, export_weights, read_state
from scripts.training.release import CARD, NAMING, PLACES, SETTINGS, TEST, release
from tests.conftest import ROOT
from tests.detect.test_network_v2 import CELLS

PT, ONNX, INT8 = (f"face_plate_v2{suffix}" for suffix in (".pt", ".onnx", "_int8.onnx"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is written."""
    for name in (SETTINGS, *NAMING, TEST, *(Path("weights") / each for each in (PT, ONNX, INT8))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_all_that_follows_from_weights_is_written(project: Path, tmp_path: Path) -> None:
    state = read_state(ROOT / "weights" / PT)
    export_weights({**state, "calibration": state["calibration"] + 0.25}, tmp_path / "mine.pt")
    export_to_onnx(tmp_path / "mine.pt", tmp_path / "mine_int8.onnx")  # any that was made of the weights
    release(tmp_path / "mine.pt", tmp_path / "mine_int8.onnx", project)

    settings = yaml.safe_load((project / SETTINGS).read_text())
    digests = [hashlib.sha256((project / "weights" / name).read_bytes()).hexdigest() for name in (PT, ONNX, INT8)]
    assert [settings[key] for key in ("sha256", "onnx_sha256", "int8_sha256")] == digests
    names = [key for key in settings if key.endswith("sha256")]
    model = ModelConfig(
        weights=str(project / "weights" / PT), network=settings["network"], **{key: settings[key] for key in names}
    )
    read_weights(model)
    for int8 in (False, True):
        read_onnx(model, int8)

    for name in NAMING[1:]:
        assert all(each in (project / name).read_text() for each in digests), "v2 is the default"
    before, card = (ROOT / CARD).read_text(), (project / CARD).read_text()
    assert card == before.replace(yaml.safe_load((ROOT / SETTINGS).read_text())["sha256"], digests[0]) != before
    cells = re.findall(r"^    \((\d+), (\d+), \[(.*)\], \[(.*)\]\),$", (project / TEST).read_text(), re.MULTILINE)
    assert [(int(row), int(column)) for row, column, *_ in cells] == list(PLACES)
    assert [place[:2] for place in CELLS] == list(PLACES)
    for (_, _, *values), (_, _, *known) in zip(cells, CELLS, strict=True):
        for text, old, (scale, bias) in zip(values, known, state["calibration"].tolist(), strict=True):
            new = [float(value) for value in text.split(",")]
            assert np.allclose(new[0], (old[0] - bias) / scale * (scale + 0.25) + bias + 0.25, atol=0.01)
            assert np.allclose(new[1:], old[1:], atol=2e-4)


def test_int8_of_other_weights_is_refused(project: Path, tmp_path: Path) -> None:
    export_weights(read_state(ROOT / "weights" / PT) | {"calibration": torch.ones(2, 2)}, tmp_path / "mine.pt")
    before = {file: file.read_bytes() for file in project.rglob("*") if file.is_file()}
    with pytest.raises(ConfigError, match=r"face_plate_v2_int8\.onnx: was not made of mine\.pt; make it with"):
        release(tmp_path / "mine.pt", ROOT / "weights" / INT8, project)
    assert {file: file.read_bytes() for file in before} == before
