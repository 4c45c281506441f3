"""Weights: the file that the settings name, or none."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from blurscene_stream import load_settings
from blurscene_stream.config.files import shipped
from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.backends.torch.network import FacePlateNetwork
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights
from blurscene_stream.detect.weights import find_weights
from blurscene_stream.errors import ConfigError


def named(path: Path) -> ModelConfig:
    return ModelConfig(weights=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_shipped_name_and_a_path_find_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = shipped("weights") / "face_plate_v2.pt"
    monkeypatch.chdir(tmp_path)
    assert find_weights("face_plate_v2.pt") == there
    assert find_weights(str(there)) == there
    (tmp_path / "own.pt").write_bytes(b"x")
    assert find_weights("own.pt") == Path("own.pt")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\.weights.*none\.pt"):
        read_weights(ModelConfig(weights="none.pt"))


def test_another_file_than_the_one_named_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "changed.pt"
    content = bytearray((shipped("weights") / "face_plate_v2.pt").read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    found, wanted = hashlib.sha256(content).hexdigest()[:12], (ModelConfig().sha256 or "")[:12]
    with pytest.raises(ConfigError, match=rf"changed\.pt.*{found}.*expected {wanted}.*model\.sha256") as refused:
        read_weights(ModelConfig(weights=str(changed)))
    assert "\n" not in str(refused.value)


def refused(path: Path) -> str:
    """What is said of a file of weights, in one line; nothing else is."""
    with warnings.catch_warnings(record=True) as said, pytest.raises(ConfigError) as caught:
        warnings.simplefilter("always")
        read_weights(named(path))
    assert not said
    assert str(caught.value).startswith(f"{path.name}: ") and len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_code == 2
    return str(caught.value)


def a_tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"), io.BytesIO())
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no tensors", b"PK\x03\x04 cut", b"hello\nworld\n", b"model: face\nsize: 3\n", b".", b"\0" * 99, a_tar()],
)
def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.pt").write_bytes(content)
    assert "not a file of tensors written by torch.save" in refused(tmp_path / "odd.pt")


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_file_ends_in_an_internal_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pt"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, protocol: int) -> None:
    torch.save({"x": Path("code")}, tmp_path / "evil.pt")
    refused(tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"x": Path("code")}, protocol))
    refused(tmp_path / "plain.pt")


@pytest.mark.parametrize("held", [{"state_dict": {"a": torch.ones(2)}}, [torch.ones(2)], torch.ones(2), {"a": 1.0}])
def test_something_else_than_named_tensors_is_refused(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "other.pt")
    assert "something else than named tensors" in refused(tmp_path / "other.pt")


@pytest.mark.parametrize("layer", [0, "two\nlines"])
def test_names_that_are_no_plain_texts_are_refused(tmp_path: Path, layer: object) -> None:
    torch.save({layer: torch.ones(2)}, tmp_path / "numbered.pt")
    assert "names are no plain texts" in refused(tmp_path / "numbered.pt")


@pytest.mark.parametrize(
    "odd", [torch.ones(2, dtype=torch.complex64), torch.ones(2, 2).to_sparse(), torch.ones(2, device="meta")]
)
def test_tensors_of_another_kind_are_refused_by_the_layer(tmp_path: Path, odd: Tensor) -> None:
    torch.save({"good": torch.ones(2), "odd": odd}, tmp_path / "kinds.pt")
    assert "layer odd holds" in refused(tmp_path / "kinds.pt")


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    torch.save({"good": torch.ones(2), "odd": torch.tensor([1.0, bad], dtype=torch.float16)}, tmp_path / "bad.pt")
    assert refused(tmp_path / "bad.pt").startswith("bad.pt: layer odd holds numbers that are not finite")


def test_short_numbers_become_long_ones(tmp_path: Path) -> None:
    shorts = (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float64)
    torch.save({str(short): torch.full((2,), 0.5).to(short) for short in shorts}, tmp_path / "short.pt")
    state = read_weights(named(tmp_path / "short.pt"))
    assert all(value.dtype == torch.float32 and value.tolist() == [0.5, 0.5] for value in state.values())


def test_whole_numbers_in_place_of_others_are_refused_by_the_layer() -> None:
    state = nn.Conv2d(1, 2, 1).state_dict()
    with pytest.raises(ConfigError, match=r"w\.pt: layer weight: .*\(2, 1, 1, 1\), the file \(2, 1, 1, 1\) of whole"):
        fill_network(nn.Conv2d(1, 2, 1), state | {"weight": state["weight"].int()}, "w.pt")


def test_the_layer_that_does_not_fit_is_named() -> None:
    state = read_weights(load_settings(["model=face_plate_v1"]).model)
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
