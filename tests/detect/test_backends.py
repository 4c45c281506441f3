"""Back ends: each gives the maps and boxes that torch gives, is taken where it should be, and sends nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from blurscene_stream import load_settings
from blurscene_stream.boxes import iou
from blurscene_stream.config.schema import BUILT_IN, Backend, DetectConfig, ModelConfig, Precision, Settings
from blurscene_stream.detect import device, load_detector
from blurscene_stream.detect.backends import loading, processor
from blurscene_stream.detect.backends.loading import choose_backend, load_network
from blurscene_stream.detect.backends.network import MULTIPLES, Network, Pictures
from blurscene_stream.detect.device import choose_device
from blurscene_stream.errors import ConfigError, DetectionError, DeviceError
from tests.conftest import ROOT
from tests.detect.needs import need
from tests.detect.pictures import WIDTH, Picture, frame_of
from tests.processes import PATIENCE_S

MODELS = ("face_plate_v1", "face_plate_v2")
OTHERS = ("openvino", "onnxruntime")  # than torch
TOLERANCE = np.array([0.05, 0.02, 0.02, 0.02, 0.02])[:, None, None]
"""Of logit, log height, log width, offsets, as weights are stored in 16 bits; of a score 0.0125 at most."""


needs_int8 = pytest.mark.skipif(not processor.has_fast_int8(), reason="this processor has neither VNNI nor AMX")


def model_of(name: str) -> ModelConfig:
    return load_settings([f"model={name}"]).model


def network(model: str, backend: str, precision: str = "fp32", **more: Any) -> Network:
    need(backend)
    config = DetectConfig(backend=Backend[backend], precision=Precision[precision], **more)
    return load_network(model_of(model), "cpu", config)


def as_input(scene: Picture, model: str, times: int = 1) -> Pictures:
    """The scene `times` as large, at the top left of pictures of two; the second one is mirrored."""
    large = scene.repeat(times, 0).repeat(times, 1)
    multiple = MULTIPLES[model_of(model).network["_target_"]]
    height, width = (-(-side // multiple) * multiple for side in large.shape[:2])
    pictures = np.zeros((2, height, width, 3), np.uint8)
    pictures[:, : large.shape[0], : large.shape[1]] = [large, large[:, ::-1]]
    return pictures.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_back_end_gives_the_maps_of_torch_at_any_size(model: str, backend: str, scene: Picture) -> None:
    torch, other = network(model, "torch"), network(model, backend)
    for times in (1, 2, 1):
        pictures = as_input(scene, model, times)
        wanted, made = torch(pictures), other(pictures)
        assert made.dtype == np.float32 and made.shape == wanted.shape
        assert (np.abs(made - wanted) <= TOLERANCE).all()
        assert np.array_equal(other(pictures[:1]), made[:1]), "a picture's maps do not depend on the others"


@pytest.mark.parametrize("model", MODELS)
def test_bf16_in_openvino_is_as_close_as_it_is_in_torch(model: str, scene: Picture) -> None:
    pictures = as_input(scene, model)
    short = network(model, "openvino", "bf16")
    assert short.device_name == "cpu, OpenVINO, bf16"
    difference = np.abs(short(pictures) - network(model, "torch")(pictures))
    assert difference[:, :, 0].mean() < 0.1
    assert difference[:, :, 1:3].mean() < 0.05


@needs_int8
@pytest.mark.parametrize("model", MODELS)
def test_int8_is_close_to_fp32_at_any_size(model: str, scene: Picture) -> None:
    short, full = network(model, "openvino", "int8"), network(model, "openvino")
    assert short.device_name == "cpu, OpenVINO, int8"
    for times in (1, 2):
        pictures = as_input(scene, model, times)
        wanted = full(pictures)
        near = wanted[:, :, 0] > -4  # scores from 0.02 on
        difference = np.abs(short(pictures) - wanted).transpose(0, 1, 3, 4, 2)[near]
        assert difference[:, 0].mean() < 0.3 and difference[:, 1:].mean() < 0.05


@needs_int8
@pytest.mark.parametrize("model", MODELS)
def test_int8_finds_the_boxes_of_fp32(model: str, scene: Picture) -> None:
    keys = ["device=cpu", f"detect.size_px={2 * WIDTH}", f"model={model}", "detect.backend=openvino"]
    wanted, found = (
        load_detector(load_settings([*keys, f"detect.precision={each}"]))([frame_of(scene)])[0].confident()
        for each in ("fp32", "int8")
    )
    wanted = wanted[wanted.scores > 0.1]
    overlap = iou(wanted.xyxy, found.xyxy)
    best = overlap.argmax(axis=1)
    assert len(wanted) >= 2 and overlap.max(axis=1).min() > 0.85
    assert found.class_ids[best].tolist() == wanted.class_ids.tolist()
    assert np.abs(found.scores[best] - wanted.scores).max() < 0.1


@pytest.mark.parametrize(
    ("model", "flags", "name"),
    [
        ("face_plate_v2", "avx512_vnni", "int8"),
        ("face_plate_v2", "avx_vnni avx2", "int8"),
        ("face_plate_v2", "avx512f avx2", "fp32"),
        ("face_plate_v1", "avx512_vnni", "int8"),
        ("face_plate_v1", "avx2", "fp32"),
    ],
)
def test_auto_takes_int8_by_the_processors_flags(
    model: str, flags: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "cpu_flags", lambda: frozenset(flags.split()))
    assert network(model, "openvino", "auto").device_name == f"cpu, OpenVINO, {name}"


@pytest.mark.parametrize(
    ("model", "backend", "flags", "message"),
    [
        ("face_plate_v2", "torch", "avx_vnni", "torch has no int8; use --backend openvino "),
        ("face_plate_v2", "onnxruntime", "avx_vnni", "ONNX Runtime has no int8 on a CPU here; use fp32 or openvino"),
        ("face_plate_v2", "openvino", "avx2", "this processor has neither VNNI nor AMX for int8; use fp32"),
    ],
)
def test_int8_is_refused_where_it_is_not_to_be_had(
    model: str, backend: str, flags: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "cpu_flags", lambda: frozenset(flags.split()))
    with pytest.raises(ConfigError, match=message):
        network(model, backend, "int8")


@pytest.mark.parametrize("backend", OTHERS)
def test_every_back_end_finds_the_boxes_of_torch(backend: str, scene: Picture) -> None:
    need(backend, "torch")
    keys = ["device=cpu", f"detect.size_px={2 * WIDTH}", "detect.precision=fp32"]
    wanted, found = (
        load_detector(load_settings([*keys, f"detect.backend={each}"]))([frame_of(scene)])[0].confident()
        for each in ("torch", backend)
    )
    assert found.class_ids.tolist() == wanted.class_ids.tolist() and len(found) >= 2
    assert np.diag(iou(found.xyxy, wanted.xyxy)).min() > 0.99
    assert np.abs(found.scores - wanted.scores).max() < 0.0125


@pytest.mark.parametrize("backend", OTHERS)
def test_calls_from_several_threads_give_what_one_gives(backend: str, scene: Picture) -> None:
    shared, pictures = network("face_plate_v1", backend), as_input(scene, "face_plate_v1")
    made = [shared(pictures)]
    threads = [Thread(target=lambda: made.append(shared(pictures)), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(made) == 4 and all(np.array_equal(each, made[0]) for each in made)


@pytest.mark.parametrize(
    ("installed", "device", "precision", "taken"),
    [
        ("openvino onnxruntime torch", "cpu", "auto", "openvino"),
        ("onnxruntime torch", "cpu", "auto", "onnxruntime"),
        ("onnxruntime torch", "cpu", "bf16", "torch"),
        ("onnxruntime torch", "cpu", "int8", "torch"),
        ("torch", "cpu", "auto", "torch"),
        ("openvino onnxruntime torch", "cuda:0", "auto", "torch"),
    ],
)
def test_auto_takes_the_fastest_that_is_installed(
    installed: str, device: str, precision: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "is_installed", installed.split().__contains__)
    assert choose_backend(ModelConfig(), device, DetectConfig(precision=Precision[precision])).name == taken


def test_weights_without_an_onnx_file_run_in_torch(tmp_path_factory: pytest.TempPathFactory) -> None:
    need("torch")
    file = tmp_path_factory.mktemp("own") / "mine.pt"
    file.touch()
    assert choose_backend(ModelConfig(weights=str(file)), "cpu", DetectConfig()) is Backend.torch
    need("openvino")
    with pytest.raises(ConfigError, match=r"there is no mine\.onnx beside it; blurscene-stream export makes it"):
        load_network(ModelConfig(weights=str(file)), "cpu", DetectConfig(backend=Backend.openvino))


def test_a_network_without_a_file_in_int8_is_refused_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("openvino")
    monkeypatch.setattr(processor, "cpu_flags", lambda: frozenset({"avx_vnni"}))
    (tmp_path / "mine.pt").touch()
    model = ModelConfig(weights=str(tmp_path / "mine.pt"))
    with pytest.raises(ConfigError, match=r"there is no mine_int8\.onnx beside it; .* quantize makes it"):
        load_network(model, "cpu", DetectConfig(backend=Backend.openvino, precision=Precision.int8))


@pytest.mark.parametrize("backend", [Backend.auto, Backend.openvino, Backend.onnxruntime, Backend.torch])
def test_what_is_not_installed_is_named(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "is_installed", lambda _: False)
    name = "torch" if backend is Backend.auto else backend.name
    with pytest.raises(ConfigError, match=rf"detect\.backend: {name} is not installed; pip install {name}$"):
        choose_backend(ModelConfig(), "cpu", DetectConfig(backend=backend))


@pytest.mark.parametrize("backend", OTHERS)
def test_what_runs_on_cpus_alone_takes_the_cpu_and_refuses_a_gpu(backend: str) -> None:
    assert choose_device("auto", Backend[backend]) == "cpu"
    with pytest.raises(ConfigError, match=rf"detect\.backend: {backend} runs on the CPU; use --device cpu, or torch"):
        choose_device("cuda:1", Backend[backend])


def test_a_model_of_ones_own_is_refused_anything_but_torch() -> None:
    model = ModelConfig("mine", "mine.pt", None, None, network={"_target_": "torch.nn.Identity"})
    asked = Settings(device="cpu", model=model, detect=DetectConfig(backend=Backend.openvino))
    with pytest.raises(ConfigError, match=r"mine: detect\.backend must be torch for a model of your own, got openvino"):
        load_detector(asked)


@pytest.mark.parametrize(
    ("name", "precision"), [("face_plate_v2", "fp32"), ("face_plate_v2", "int8"), ("face_plate_v1", "int8")]
)
def test_openvino_compiles_for_the_size_of_a_video_and_gives_the_same(
    name: str, precision: str, scene: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openvino")
    if precision == "int8" and not processor.has_fast_int8():
        pytest.skip("this processor has neither VNNI nor AMX")
    from blurscene_stream.detect.backends import openvino  # noqa: PLC0415

    compiled: list[tuple[int, int] | None] = []
    compile_network = openvino.compile_network

    def watched(content: bytes, precision: str, threads: int, size: tuple[int, int] | None = None) -> Any:
        compiled.append(size)
        return compile_network(content, precision, threads, size)

    monkeypatch.setattr(openvino, "compile_network", watched)
    large, small = (as_input(scene, name, times) for times in (2, 1))
    (_, _, high, wide), some = large.shape, small[:1]
    monkeypatch.setattr(openvino, "MIN_PIXELS", 2 * len(large) * high * wide)
    made = network(name, "openvino", precision)
    wanted, wanted_small = made(large), made(some)
    assert np.array_equal(made(large), wanted) and compiled == [None]
    for _ in range(3):
        assert np.array_equal(made(large), wanted) and np.array_equal(made(some), wanted_small)
    assert compiled == [None] if (name, precision) == ("face_plate_v1", "int8") else [None, (high, wide)]


def test_a_network_that_rounds_other_values_at_a_fixed_size_is_not_taken_in_mid_run(
    scene: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openvino")
    if not processor.has_fast_int8():
        pytest.skip("this processor has neither VNNI nor AMX")
    from blurscene_stream.detect.backends import openvino  # noqa: PLC0415

    monkeypatch.setattr(openvino, "BUILT_IN_V2", BUILT_IN)  # v1 is one, and is asked for nothing of the kind
    images = as_input(scene, "face_plate_v1", 2)
    monkeypatch.setattr(openvino, "MIN_PIXELS", images.shape[2] * images.shape[3])
    made = network("face_plate_v1", "openvino", "int8")
    wanted = made(images[:1])
    for _ in range(3):
        assert np.array_equal(made(images[:1]), wanted)


def test_onnxruntime_is_not_asked_for_bf16() -> None:
    need("onnxruntime")
    with pytest.raises(ConfigError, match=r"detect\.precision: ONNX Runtime has no bf16"):
        network("face_plate_v1", "onnxruntime", "bf16")


def test_threads_are_those_of_the_settings() -> None:
    made: Any = network("face_plate_v1", "openvino", threads=1)
    assert made._any_size.compiled.get_property("INFERENCE_NUM_THREADS") == 1
    made = network("face_plate_v1", "onnxruntime", threads=1)
    assert made._session.get_session_options().intra_op_num_threads == 1


@pytest.mark.parametrize("backend", OTHERS)
def test_a_failure_inside_the_library_is_one_line_and_the_next_call_is_answered(
    backend: str, scene: Picture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need(backend)
    if backend == "openvino":  # not the network that other tests share
        from blurscene_stream.detect.backends import openvino  # noqa: PLC0415

        monkeypatch.setattr(openvino, "compile_network", inspect.unwrap(openvino.compile_network))
    detector = load_detector(Settings(device="cpu", detect=DetectConfig(size_px=WIDTH, backend=Backend[backend])))
    model: Any = detector._models[0]
    multiple, model._multiple = model._multiple, 1  # maps of odd sides do not fit together
    with pytest.raises(DetectionError, match=r"the network failed on .* x 224x144 px on cpu, O") as failed:
        detector([frame_of(scene)])
    assert "\n" not in str(failed.value)
    assert "Exception from" not in str(failed.value)
    assert capfd.readouterr() == ("", "")
    model._multiple = multiple
    assert detector([frame_of(scene)])[0].confident().class_ids.tolist()[:2] == [0, 1]


def test_a_network_that_answers_for_another_size_is_an_error(scene: Picture) -> None:
    detector = load_detector(Settings(device="cpu", detect=DetectConfig(size_px=WIDTH)))
    model: Any = detector._models[0]
    inner = model.network
    model.network = lambda images: inner(images)[:, :, :, :-1]
    with pytest.raises(DetectionError, match="maps of shape"):
        detector([frame_of(scene)])


SILENCE = """
import socket, sys, threading
def refuse(*_, **__):
    raise AssertionError("a connection")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from blurscene_stream.config.schema import BUILT_IN, Backend, DetectConfig, Settings
from blurscene_stream.detect import load_detector
from tests.detect.pictures import draw_scene, frame_of
detector = load_detector(Settings(device="cpu", detect=DetectConfig(size_px=64, backend=Backend.{backend})))
detector([frame_of(draw_scene())])
loaded = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module]
assert not loaded and threading.active_count() == 1, (loaded, threading.enumerate())
"""


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
def test_no_library_connects_to_anything_or_leaves_reports_for_its_makers(backend: str, tmp_path: Path) -> None:
    need(backend)
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}  # without CI: there ONNX Runtime reports nothing
    subprocess.run([sys.executable, "-c", SILENCE.format(backend=backend)], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_arguments_of_the_network_are_those_of_its_file() -> None:
    need("openvino")
    wider = replace(model_of("face_plate_v2"), network={**model_of("face_plate_v2").network, "neck": 96})
    with pytest.raises(ConfigError, match=r'face_plate_v2\.onnx: model\.network must be .*, got .*"neck": 96'):
        load_network(wider, "cpu", DetectConfig(backend=Backend.openvino, precision=Precision.fp32))


def test_a_gpu_without_torch_is_logged_and_one_that_is_asked_for_is_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(device, "has_gpu", lambda: True)
    monkeypatch.setattr(device, "is_installed", lambda _: False)
    assert choose_device("auto") == "cpu"
    (message,) = [each.getMessage() for each in caplog.records]
    assert message == "this machine has a GPU, which needs torch: pip install torch; until then the CPU is used"
    with pytest.raises(DeviceError, match="device cuda needs torch, which is not installed; pip install torch"):
        choose_device("cuda")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it raises ImportError now
from blurscene_stream.config.schema import DetectConfig, Settings
from blurscene_stream.detect import load_detector
from tests.detect.pictures import draw_scene, frame_of
(found,) = load_detector(Settings(device="cpu", detect=DetectConfig(size_px=224)))([frame_of(draw_scene())])
assert {0, 1} <= set(found.class_ids.tolist())
"""


def test_the_main_job_needs_no_torch() -> None:
    need("openvino")
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True)
