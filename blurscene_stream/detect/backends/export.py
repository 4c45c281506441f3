"""Files of a built-in network for other programs: ONNX, and OpenVINO's own format."""

from __future__ import annotations

import tempfile
from pathlib import Path

from blurscene_stream.config.schema import DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends.check_picture import check_picture
from blurscene_stream.detect.backends.onnx_file import REFERENCE, SUFFIX, check_onnx, origin
from blurscene_stream.detect.backends.reference import Reference
from blurscene_stream.detect.device import is_installed
from blurscene_stream.errors import ConfigError

IR_SUFFIX, IR_WEIGHTS_SUFFIX = ".xml", ".bin"
SUFFIXES = (SUFFIX, IR_SUFFIX)


def export_model(model: ModelConfig, suffix: str) -> dict[str, bytes]:
    """Export the network of a built-in model in the format of `suffix`: the files' contents, by their suffixes.

    The file that names the others is the last. Raises ConfigError for a model of one's own, and when its weights or a
    library are missing.
    """
    if not model.is_built_in:
        raise ConfigError(f"{model.name}: only the built-in networks can be exported")
    needed = ["torch", "onnx", "onnxscript", *(["openvino"] if suffix == IR_SUFFIX else [])]
    if missing := [name for name in needed if not is_installed(name)]:
        raise ConfigError(f"export needs {', '.join(missing)}; pip install {' '.join(missing)}")
    onnx = _as_onnx(model)
    return {SUFFIX: onnx} if suffix == SUFFIX else _as_ir(onnx)


def _as_onnx(model: ModelConfig) -> bytes:
    from blurscene_stream.detect.backends.torch.export import export_onnx  # noqa: PLC0415  optional
    from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork, load_built_in  # noqa: PLC0415

    maps = TorchNetwork(model, "cpu", DetectConfig(precision=Precision.fp32))(check_picture())
    content = export_onnx(load_built_in(model), origin(model) | {REFERENCE: Reference.of(maps).to_text()})
    check_onnx(content, model.name)
    return content


def _as_ir(onnx: bytes) -> dict[str, bytes]:
    from blurscene_stream.detect.backends.openvino import save_ir  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"network{IR_SUFFIX}"
        save_ir(onnx, file)
        return {suffix: file.with_suffix(suffix).read_bytes() for suffix in (IR_WEIGHTS_SUFFIX, IR_SUFFIX)}
