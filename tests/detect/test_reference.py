"""The check of a network when it is loaded: the right ones pass it, and none that calculates something else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurscene_stream import load_settings
from blurscene_stream.cli import run
from blurscene_stream.cli.image import picture_command
from blurscene_stream.config.files import shipped
from blurscene_stream.config.schema import Backend, DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends import processor
from blurscene_stream.detect.backends.check_picture import check_picture
from blurscene_stream.detect.backends.loading import load_network
from blurscene_stream.detect.backends.network import Maps, Network, Pictures
from blurscene_stream.detect.backends.onnx_file import read_onnx, read_reference
from blurscene_stream.detect.backends.reference import LIMITS, Reference, check_same
from blurscene_stream.errors import ConfigError, DetectionError
from tests.detect.needs import need
from tests.detect.pictures import draw_scene
from tests.pictures import file_of

need("onnx")
import onnx  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

MODELS = ("face_plate_v1", "face_plate_v2")
needs_int8 = pytest.mark.skipif(not processor.has_fast_int8(), reason="this processor has neither VNNI nor AMX")
WAYS = [  # back end and precision
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    pytest.param("openvino", "int8", marks=needs_int8),
    ("onnxruntime", "fp32"),
]
WRONG = r"^mine on cpu, .*{} calculates something else than it was made to: logits are off by \S+, sizes by \S+; try "
Change = Callable[[Any], None]


class Answer:
    """A network that gives the same maps whatever it is shown."""

    device_name = "cpu, made up"

    def __init__(self, maps: Maps) -> None:
        self.maps = maps

    def __call__(self, images: Pictures) -> Maps:  # noqa: ARG002
        return self.maps


def model_of(name: str) -> ModelConfig:
    return load_settings([f"model={name}"]).model


def load(model: ModelConfig, backend: str, precision: str) -> Network:
    need(backend)
    return load_network(model, "cpu", DetectConfig(backend=Backend[backend], precision=Precision[precision]))


def changed(folder: Path, name: str, change: Change) -> ModelConfig:
    """A copy of a model, both of whose ONNX files were changed."""
    weights = shutil.copy(shipped("weights") / f"{name}.pt", folder / "mine.pt")
    for int8, suffix in ((False, ".onnx"), (True, "_int8.onnx")):
        made = onnx.load_from_string(read_onnx(model_of(name), int8))
        change(made)
        (folder / f"mine{suffix}").write_bytes(made.SerializeToString())
    return replace(model_of(name), name="mine", weights=str(weights), onnx_sha256=None, int8_sha256=None)


def lower_logits(network: Any) -> None:
    """By 4, as OpenVINO 2026.4 does where it is given channels first, and int8, and no size."""
    values = np.zeros((1, 1, 5, 1, 1), np.float32)
    values[:, :, 0] = -4
    network.graph.initializer.append(numpy_helper.from_array(values, "lower"))
    for node in network.graph.node:
        node.output[:] = ["before" if name == "maps" else name for name in node.output]
    network.graph.node.append(helper.make_node("Add", ["before", "lower"], ["maps"]))


def zero_one_layer(network: Any) -> None:
    """An early one: a late one may do little for objects as large as those in the check picture."""
    tensors = {each.name: each for each in network.graph.initializer}
    made_of = {node.output[0]: node.input[0] for node in network.graph.node}
    kernels = [node.input[1] for node in network.graph.node if node.op_type == "Conv"]
    dense = [tensor for name in kernels if (tensor := tensors[made_of.get(name, name)]).dims[1] > 1]
    _scale(dense[4], 0)


def scale_weights(network: Any) -> None:
    """All kernels, by nine tenths; those in int8 by their scales."""
    for each in network.graph.initializer:
        if (len(each.dims) == 4 and each.data_type != onnx.TensorProto.INT8) or each.name.endswith(".scale"):
            _scale(each, 0.9)


def _scale(tensor: Any, factor: float) -> None:
    numbers = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((numbers * factor).astype(numbers.dtype), tensor.name))


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_files_say_what_torch_gives(name: str) -> None:
    maps = load(model_of(name), "torch", "fp32")(check_picture())
    for int8 in (False, True):
        reference = read_reference(read_onnx(model_of(name), int8), model_of(name), int8)
        np.testing.assert_allclose(reference.values, Reference.of(maps).values, atol=2e-3)
        assert (reference.values[:, :, 0].max(axis=1) > 0.5).all(), "there is an object of each class"


@pytest.mark.parametrize(("backend", "precision"), WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_networks_pass_with_room_to_spare(
    name: str, backend: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = LIMITS[Precision[precision]]
    monkeypatch.setitem(LIMITS, Precision[precision], type(limits)(*(each / 2 for each in limits)))
    load(model_of(name), backend, precision)


@pytest.mark.parametrize(
    ("name", "change"),
    [("face_plate_v1", zero_one_layer), ("face_plate_v2", scale_weights), ("face_plate_v2", lower_logits)],
)
@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_a_network_that_calculates_something_else_is_refused(
    name: str, backend: str, precision: str, change: Change, tmp_path: Path
) -> None:
    model = changed(tmp_path, name, change)
    with pytest.raises(DetectionError, match=WRONG.format(precision)) as refused:
        load(model, backend, precision)
    lower = "" if precision == "fp32" else r"--set detect.precision=fp32, or "
    assert str(refused.value).endswith(f"; try {lower}another detect.backend")


def test_a_run_with_such_a_network_ends_with_one_line_and_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("openvino")
    model = changed(tmp_path, ModelConfig().name, lower_logits)
    picture, out = tmp_path / "in.png", tmp_path / "out.png"
    picture.write_bytes(file_of(draw_scene(), "png"))
    keys = [f"model.weights={model.weights}", "model.onnx_sha256=null", "detect.precision=fp32", "device=cpu"]
    keys.append("detect.backend=openvino")  # which no --backend of the tests changes
    arguments = [str(picture), str(out), *(word for key in keys for word in ("--set", key))]
    assert run(picture_command, arguments, "blurscene-stream picture") == 6
    assert "calculates something else than it was made to" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not out.exists()


@pytest.mark.parametrize("name", MODELS)
def test_openvino_with_channels_first_is_refused_where_it_goes_wrong(name: str) -> None:
    """OpenVINO 2026.4 gives other logits for face_plate_v2 in int8; whoever mends or adds such a case is told apart."""
    need("openvino")
    import openvino  # noqa: PLC0415

    model = model_of(name)
    content = read_onnx(model, int8=True)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    shown = np.ascontiguousarray(check_picture(256, 384)[:, :, ::-1, ::-1])  # not the picture that it is checked on
    wanted = load(model, "openvino", "fp32")(shown)
    near = wanted[:, :, 0] > -4
    wrong = bool(np.abs(compiled(shown)[0] - wanted)[:, :, 0][near].mean() > 1)

    class ChannelsFirst(Answer):
        def __call__(self, images: Pictures) -> Maps:
            return np.asarray(compiled(np.ascontiguousarray(images))[0])

    try:
        read_reference(content, model, int8=True).check(ChannelsFirst(wanted), Precision.int8, name)
    except DetectionError:
        assert wrong
    else:
        assert not wrong


def test_a_network_for_one_size_that_gives_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openvino")
    from blurscene_stream.detect.backends import openvino  # noqa: PLC0415

    compile_network, other = openvino.compile_network, read_onnx(changed(tmp_path, "face_plate_v2", lower_logits))

    def for_one_size(content: bytes, precision: str, threads: int, size: tuple[int, int] | None = None) -> Any:
        return compile_network(content if size is None else other, precision, threads, size)

    monkeypatch.setattr(openvino, "compile_network", for_one_size)
    network = load(model_of("face_plate_v2"), "openvino", "fp32")
    monkeypatch.setattr(openvino, "MIN_PIXELS", 64 * 128)
    black = np.zeros((1, 64, 128, 3), np.uint8).transpose(0, 3, 1, 2)
    network(black)
    for _ in range(2):
        with pytest.raises(
            DetectionError, match=r"^face_plate_v2 on cpu, OpenVINO, fp32, compiled for 128x64 px, calc"
        ):
            network(black)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    maps = np.zeros((1, 2, 5, 48, 80), np.float32)
    reference, wrong = Reference.of(maps), maps.copy()
    reference.check(Answer(maps), Precision.int8, "any")
    wrong.reshape(2, 5, -1)[1, 3, reference.cells[1, 0]] = bad
    with pytest.raises(DetectionError, match="any on cpu, made up calculates something else"):
        reference.check(Answer(wrong), Precision.int8, "any")
    for given, wanted in ((maps, wrong), (wrong, maps)):
        with pytest.raises(DetectionError, match="here calculates something else"):
            check_same(given, wanted, Precision.int8, "here")


def test_maps_of_another_shape_are_refused() -> None:
    maps = np.zeros((1, 2, 5, 48, 80), np.float32)
    with pytest.raises(DetectionError, match="maps of shape"):
        Reference.of(maps).check(Answer(maps[:, :, :, :-1]), Precision.fp32, "any")


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda kept: kept.pop(key)


@pytest.mark.parametrize(
    "spoil",
    [
        without("picture"),
        without("cells"),
        without("values"),
        lambda kept: kept.update(picture="0" * 16),
        lambda kept: kept["cells"].pop(),
        lambda kept: kept["values"][0].pop(),
        lambda kept: kept["cells"][1].__setitem__(3, 48 * 80),
        lambda kept: kept["cells"][1].__setitem__(3, -1),
        lambda kept: kept["cells"][1].__setitem__(3, 0.5),
        lambda kept: kept.update(cells=[[], []], values=[[], []]),
        lambda kept: kept.update(values="none"),
    ],
)
def test_values_of_another_form_or_picture_are_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    kept = json.loads(Reference.of(np.zeros((1, 2, 5, 48, 80), np.float32)).to_text())
    Reference.from_text(json.dumps(kept))
    spoil(kept)
    with pytest.raises(ValueError, match="reference values of "):
        Reference.from_text(json.dumps(kept))
    with pytest.raises(ValueError, match="reference values of another form"):
        Reference.from_text("[]")


@pytest.mark.parametrize(
    ("precision", "name", "maker"),
    [
        ("fp32", "mine.onnx", "blurscene-stream export"),
        pytest.param("int8", "mine_int8.onnx", "python -m scripts.training quantize", marks=needs_int8),
    ],
)
def test_a_file_without_such_values_is_refused(precision: str, name: str, maker: str, tmp_path: Path) -> None:
    def forget(network: Any) -> None:
        kept = {each.key: each.value for each in network.metadata_props if each.key != "reference"}
        helper.set_model_props(network, kept)

    with pytest.raises(ConfigError, match=rf"^{name}: holds no values to check the network by; {maker} makes it anew$"):
        load(changed(tmp_path, "face_plate_v1", forget), "openvino", precision)
