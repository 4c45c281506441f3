"""Weights as files: whole ones under their names while they are written anew, and the mean of several."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.errors import SinkError
from scripts.training.__main__ import main
from scripts.training.export import export_weights, load_network, read_state

State = dict[str, torch.Tensor]


def weights(file: Path, seed: int, calibration: float = 1.0) -> State:
    """Write random weights; return them as they are read back."""
    torch.manual_seed(seed)
    network = FacePlateV2Network()
    network.calibration.fill_(calibration)
    export_weights(network.state_dict(), file)
    return load_network(file).state_dict()


def test_the_file_that_is_there_stays_until_the_next_one_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.pt"
    first = weights(file, 0)
    with file.open("rb") as opened:  # somebody copies it
        weights(file, 1)
        copied = opened.read()
    (tmp_path / "copy.pt").write_bytes(copied)
    assert torch.equal(read_state(tmp_path / "copy.pt")["out.weight"], first["out.weight"])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SinkError, match="no space left on device"):
        weights(file, 2)
    assert file.read_bytes() == before and list(tmp_path.glob("*.partial")) == []


def mean(*files: Path, out: Path) -> str:
    return CliRunner().invoke(main, ["mean", *map(str, files), "--out", str(out)]).output


def test_the_mean_of_weights_is_not_calibrated(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt")]
    states = [weights(file, seed, calibration=2.0) for seed, file in enumerate(files)]
    assert "not calibrated" in mean(*files, out=tmp_path / "mean.pt")
    made = load_network(tmp_path / "mean.pt").state_dict()
    assert made.pop("calibration").tolist() == [[1, 0], [1, 0]]
    for name, value in made.items():
        expected = sum(state[name].double() for state in states) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-6)  # 16 bits


def test_a_mean_with_another_network_is_refused(tmp_path: Path) -> None:
    state = weights(tmp_path / "a.pt", 0)
    export_weights({**state, "out.bias": torch.zeros(3)}, tmp_path / "other.pt")
    output = mean(tmp_path / "a.pt", tmp_path / "other.pt", out=tmp_path / "mean.pt")
    assert "Error: other.pt: layer out.bias: the network has (40,), the file (3,)" in output
    assert not (tmp_path / "mean.pt").exists()
