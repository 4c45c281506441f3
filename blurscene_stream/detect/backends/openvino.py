"""OpenVINO as a back end, on the CPU: the fastest one there.

The package `openvino` brings `openvino-telemetry` along, which sends reports on the use of OpenVINO's converter. It is
kept from being imported, and OpenVINO then takes an empty stand-in of its own; the converter is not used either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it raises ImportError now
import openvino  # noqa: E402

from blurscene_stream.config.schema import DetectConfig, ModelConfig, Precision  # noqa: E402
from blurscene_stream.detect.backends.network import Maps, Pictures  # noqa: E402
from blurscene_stream.detect.backends.onnx_file import read_onnx  # noqa: E402
from blurscene_stream.detect.backends.processor import has_fast_bf16  # noqa: E402
from blurscene_stream.errors import ConfigError  # noqa: E402

_NAMES = {"f32": "fp32", "bf16": "bf16"}


class OpenVinoNetwork:
    """`Network` in OpenVINO, compiled once for inputs of any size: as fast as for a fixed one (measured)."""

    def __init__(self, model: ModelConfig, config: DetectConfig) -> None:
        """Raise ConfigError when the network is not there or not the one meant, RuntimeError when its set-up fails."""
        wants_bf16 = config.precision is Precision.bf16 or (config.precision is Precision.auto and has_fast_bf16())
        self._compile = partial(_compile, read_onnx(model), "bf16" if wants_bf16 else "f32", config.threads)
        self._requests = _Requests(self._compile())
        taken = _NAMES[self._requests.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()]
        if config.precision is Precision.bf16 and taken != "bf16":
            raise ConfigError("detect.precision: OpenVINO has no bf16 on this processor; use fp32, or torch for bf16")
        self.device_name = f"cpu, OpenVINO, {taken}"

    def __call__(self, images: Pictures) -> Maps:
        """See `Network`; one image after the other, as the maps of more leave a CPU's caches."""
        pictures = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # as they are in memory: no copy
        requests = self._requests
        try:
            with requests.taken() as request:
                parts = (pictures[index : index + 1] for index in range(len(pictures)))
                return np.concatenate([request.infer({0: part}, share_inputs=True)[0] for part in parts])
        except RuntimeError as error:
            self._requests = _Requests(self._compile())  # after an error the compiled network may give no other answer
            raise RuntimeError(_reason(error)) from error


class _Requests:
    """A compiled network, and its inference requests that are not at work: each serves one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._idle: list[Any] = []

    @contextmanager
    def taken(self) -> Iterator[Any]:
        try:
            request = self._idle.pop()
        except IndexError:  # the first call, or others are at work on other threads
            request = self.compiled.create_infer_request()
        yield request
        self._idle.append(request)  # one that has failed is dropped


def _compile(content: bytes, precision: str, threads: int) -> Any:
    try:
        return compile_network(content, precision, threads)
    except RuntimeError as error:
        raise RuntimeError(_reason(error)) from error


def _reason(error: RuntimeError) -> str:
    """The last line of OpenVINO's message; those before it name places in its source."""
    return next(filter(None, map(str.strip, reversed(str(error).splitlines()))), "no reason given")


def compile_network(content: bytes, precision: str, threads: int) -> Any:
    """Compile an ONNX network for pictures with channels last; `threads`: 0 for as many as there are cores.

    Raises RuntimeError.
    """
    core = openvino.Core()
    steps = openvino.preprocess.PrePostProcessor(core.read_model(content))
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    hints: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    hints["ENABLE_CPU_PINNING"] = False  # decoder and encoder need the cores too
    if threads:
        hints["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(steps.build(), "CPU", hints)


def save_ir(content: bytes, file: Path) -> None:
    """Write an ONNX network as OpenVINO's own format: `file`, .xml, and a .bin beside it, weights in float16."""
    openvino.save_model(openvino.Core().read_model(content), file)
