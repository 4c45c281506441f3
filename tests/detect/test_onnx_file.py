"""ONNX files: the one that the settings name, of the weights that they name, with finite numbers, or none."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.cli import run
from blurscene_stream.cli.export import export_command
from blurscene_stream.config.files import shipped
from blurscene_stream.config.schema import BUILT_IN, DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends import export
from blurscene_stream.detect.backends.export import export_model
from blurscene_stream.detect.backends.onnx_file import check_onnx, origin, read_onnx, read_reference
from blurscene_stream.errors import ConfigError
from blurscene_stream.own_files import NETWORK
from tests.detect.needs import need

WEIGHTS = shipped("weights") / "face_plate_v2.pt"
CONTENT = WEIGHTS.with_suffix(".onnx").read_bytes()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the shipped weights and of their ONNX file; the latter's path."""
    shutil.copy(WEIGHTS, tmp_path / "own.pt")
    (tmp_path / "own.onnx").write_bytes(CONTENT)
    return tmp_path / "own.onnx"


def refused(file: Path, content: bytes | None = None) -> str:
    """What is said, in one line, of the ONNX file beside own.pt, given `content` and its checksum."""
    if content is not None:
        file.write_bytes(content)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ConfigError) as caught:
        read_onnx(ModelConfig(weights=str(file.with_suffix(".pt")), onnx_sha256=sha256))
    assert str(caught.value).startswith(f"{file.name}: ") and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_shipped_files_are_read_and_name_their_weights() -> None:
    assert read_onnx(ModelConfig()) == CONTENT
    assert check_onnx(CONTENT, "v2").items() > origin(ModelConfig()).items()


def test_the_shipped_file_in_int8_is_read_and_names_its_weights() -> None:
    model = ModelConfig()
    assert check_onnx(read_onnx(model, int8=True), "v2").items() > origin(model).items()
    with pytest.raises(ConfigError, match=r"face_plate_v2_int8\.onnx: the sha256 .* set model\.int8_sha256 if"):
        read_onnx(replace(model, int8_sha256="0" * 64), int8=True)


def test_another_file_than_the_one_named_is_refused(own: Path) -> None:
    own.write_bytes(CONTENT + b"\0")
    with pytest.raises(ConfigError, match=r"own\.onnx: the sha256 .*, expected .* set model\.onnx_sha256 if"):
        read_onnx(ModelConfig(weights=str(own.with_suffix(".pt"))))
    assert read_onnx(ModelConfig(weights=str(WEIGHTS), onnx_sha256=None)) == CONTENT


def test_a_file_of_other_weights_is_refused(own: Path) -> None:
    own.with_suffix(".pt").write_bytes(b"other weights")
    with pytest.raises(ConfigError, match=r"own\.onnx: was not exported from .*own\.pt; export it again"):
        read_onnx(ModelConfig(weights=str(own.with_suffix(".pt")), sha256=None))


def test_a_file_of_another_network_is_refused(own: Path) -> None:
    other = ModelConfig(weights=str(own.with_suffix(".pt")), network={"_target_": BUILT_IN})
    with pytest.raises(ConfigError, match=r"own\.onnx: model\.network must be .*V2Network.*, got .*FacePlateNetwork"):
        read_onnx(other)


@pytest.mark.parametrize("bad", [b"\x00\x7c", b"\x00\xfc", b"\x00\x7e"])  # float16: infinity, its negative, NaN
def test_numbers_that_are_not_finite_are_refused(own: Path, bad: bytes) -> None:
    model = _parsed(CONTENT)
    for weights in model.graph.initializer:
        if weights.data_type == 10 and len(weights.raw_data) > 2:
            weights.raw_data = weights.raw_data[:-2] + bad
            break
    assert "holds numbers that are not finite" in refused(own, model.SerializeToString())


def test_data_that_lies_elsewhere_is_refused(own: Path) -> None:
    model = _parsed(CONTENT)
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "../secret"
    assert "data in another file" in refused(own, model.SerializeToString())


def test_tensors_and_graphs_inside_nodes_are_refused(own: Path) -> None:
    from onnx import helper, numpy_helper  # noqa: PLC0415

    model = _parsed(CONTENT)
    constant = numpy_helper.from_array(np.array([np.nan], np.float32))
    model.graph.node.append(helper.make_node("Constant", [], ["x"], value=constant))
    assert "tensors or graphs inside a node" in refused(own, model.SerializeToString())


def _parsed(content: bytes) -> Any:
    need("onnx")
    import onnx  # noqa: PLC0415

    return onnx.load_from_string(content)


@pytest.mark.parametrize("length", [1, 100, 5000, len(CONTENT) // 2, len(CONTENT) - 1])
def test_a_file_that_is_cut_short_is_refused(own: Path, length: int) -> None:
    refused(own, CONTENT[:length])


@given(content=st.binary(max_size=200))
def test_no_file_ends_in_an_internal_error(content: bytes) -> None:
    try:
        assert check_onnx(content, "any.onnx").keys() == check_onnx(content, "any.onnx").keys()
    except ConfigError as error:
        assert str(error).startswith("any.onnx: not a network that blurscene-stream export has written")


def test_export_writes_what_runs_and_gives_the_same_maps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, as OpenVINO's format. That ONNX gives the maps of torch is tested on the shipped files."""
    need("torch", "onnx", "onnxscript", "openvino")
    import openvino  # noqa: PLC0415

    from blurscene_stream.detect.backends import openvino as openvino_backend  # noqa: PLC0415

    shutil.copy(WEIGHTS, tmp_path / "mine.pt")
    as_onnx, save_ir = list[bytes](), openvino_backend.save_ir

    def watched(content: bytes, file: Path) -> None:
        as_onnx.append(content)
        save_ir(content, file)

    monkeypatch.setattr(openvino_backend, "save_ir", watched)
    arguments = ["face_plate_v2", str(tmp_path / "mine.xml"), "--set", f"model.weights={tmp_path / 'mine.pt'}"]
    assert run(export_command, arguments, "blurscene-stream export") == 0
    assert capsys.readouterr().out.count("sha256") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.bin", "mine.pt", "mine.xml"]
    picture = np.random.default_rng(1).integers(0, 256, (1, 3, 64, 64), np.uint8)
    compiled = openvino.Core().compile_model(tmp_path / "mine.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    maps = openvino_backend.OpenVinoNetwork(ModelConfig(), DetectConfig(precision=Precision.fp32))(picture)
    assert np.allclose(compiled(picture)[0], maps, atol=1e-3)
    assert run(export_command, arguments, "blurscene-stream export") == 2, "the files are there"
    assert run(export_command, ["-y", *arguments], "blurscene-stream export") == 0, "and are ours"
    assert NETWORK.matches(WEIGHTS.with_suffix(".onnx")), "told by its content"
    written, shipped_ones = (read_reference(each, ModelConfig()) for each in (as_onnx[0], CONTENT))
    np.testing.assert_allclose(written.values, shipped_ones.values, atol=2e-3)


@pytest.mark.parametrize(
    ("target", "others", "refused_name"),
    [
        ("other.onnx", {"other.onnx": CONTENT.replace(b"weights_sha256", b"of_other_make!")}, "other.onnx"),
        ("other.xml", {"other.xml": b"<net/>"}, "other.xml"),
        ("other.xml", {"other.bin": b"numbers"}, "other.bin"),
        ("other.xml", {"other.bin": b"numbers", "other.xml": b""}, "other.bin"),
    ],
)
def test_export_replaces_no_file_of_others(
    target: str, others: dict[str, bytes], refused_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    assert run(export_command, ["-y", "face_plate_v2", str(tmp_path / target)], "blurscene-stream export") == 2
    line = f"{refused_name}: is no network of this program, and is not replaced; move it away or choose another name"
    assert line in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == others


def test_only_the_built_in_networks_are_exported() -> None:
    with pytest.raises(ConfigError, match="mine: only the built-in networks can be exported"):
        export_model(ModelConfig("mine", network={"_target_": "torch.nn.Identity"}), ".onnx")


def test_export_names_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "is_installed", {"onnx"}.__contains__)
    with pytest.raises(ConfigError, match="export needs torch, onnxscript, openvino; pip install torch onnxscript op"):
        export_model(ModelConfig(), ".xml")
