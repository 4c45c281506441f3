"""Weights: the file that the settings name, or none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.network import FacePlateNetwork
from blurscene_stream.detect.weights import fill_network, find_weights, read_weights
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.resources import shipped


def named(path: Path) -> ModelConfig:
    return ModelConfig(weights=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_shipped_name_and_a_path_find_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = shipped("weights") / "face_plate_v1.pt"
    monkeypatch.chdir(tmp_path)
    assert find_weights("face_plate_v1.pt") == there
    assert find_weights(str(there)) == there
    (tmp_path / "own.pt").write_bytes(b"x")
    assert find_weights("own.pt") == Path("own.pt")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\.weights.*none\.pt"):
        read_weights(ModelConfig(weights="none.pt"))


def test_another_file_than_the_one_named_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "changed.pt"
    content = bytearray((shipped("weights") / "face_plate_v1.pt").read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    found = hashlib.sha256(content).hexdigest()[:12]
    with pytest.raises(ConfigError, match=rf"changed\.pt.*{found}.*03e0db35622a.*model\.sha256") as refused:
        read_weights(ModelConfig(weights=str(changed)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    with pytest.raises(DetectionError, match=r"odd\.pt"):
        read_weights(named(path))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"x": Path("code")}, path)
    with pytest.raises(DetectionError, match=r"evil\.pt"):
        read_weights(named(path))


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "bad.pt"
    torch.save({"good": torch.ones(2), "odd": torch.tensor([1.0, bad], dtype=torch.float16)}, path)
    with pytest.raises(DetectionError, match=r"bad\.pt: layer odd"):
        read_weights(named(path))


def test_the_layer_that_does_not_fit_is_named() -> None:
    state = read_weights(ModelConfig())
    with pytest.raises(ConfigError, match=r"layer plate\.\S+: .*48"):
        fill_network(FacePlateNetwork(plate_width=32), state, "w.pt")
    with pytest.raises(ConfigError, match=r"layer plate\.out\.2\S+: .*no such layer"):
        fill_network(FacePlateNetwork(plate_depth=3), state, "w.pt")
    with pytest.raises(ConfigError, match=r"layer plate\.out\.1\S+: .*no such layer"):
        fill_network(FacePlateNetwork(plate_depth=1), state, "w.pt")


def test_what_batch_norms_count_and_what_was_compiled_makes_no_difference() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    state = {name.replace("0.", "0._orig_mod.", 1): value + 1 for name, value in network.state_dict().items()}
    del state["1.num_batches_tracked"]
    fill_network(network, state | {"0.num_batches_tracked": torch.tensor(7)}, "w.pt")
    for name, value in state.items():
        assert torch.equal(network.state_dict()[name.replace("_orig_mod.", "")], value)
    with pytest.raises(
        ConfigError, match=r"w\.pt: layer 1\.running_mean: the network has \(2,\), the file no such layer"
    ):
        fill_network(network, {name: state[name] for name in state if name != "1.running_mean"}, "w.pt")


def test_without_a_checksum_any_file_will_do(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "mine.pt")
    assert read_weights(ModelConfig(weights=str(tmp_path / "mine.pt"), sha256=None)).keys() == {"a"}
