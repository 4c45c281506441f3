"""ONNX Runtime as a back end, on the CPU, where OpenVINO has no package.

From 1.29 on its packages report each process, model and error to Microsoft, and leave a device's number in the home
folder, as soon as they are imported. The variables that prevent all of it are set before that:
https://github.com/microsoft/onnxruntime/pull/27379, the older name https://github.com/microsoft/onnxruntime/pull/29843.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
import onnxruntime

from blurscene_stream.config.schema import DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends.network import Maps, Pictures
from blurscene_stream.detect.backends.onnx_file import INPUT, OUTPUT, read_onnx, read_reference
from blurscene_stream.errors import ConfigError, first_line

_SILENT = 4  # ORT_LOGGING_LEVEL_FATAL: errors are raised as well, and it would write them to stderr in colours


class OnnxRuntimeNetwork:
    """`Network` in ONNX Runtime, which calculates in float32 on a CPU."""

    device_name = "cpu, ONNX Runtime, fp32"

    def __init__(self, model: ModelConfig, config: DetectConfig) -> None:
        """Open the network and check it.

        Raises ConfigError when it is not there or not the one meant, DetectionError when it does not give what it must,
        RuntimeError when the library fails.
        """
        if config.precision in (Precision.bf16, Precision.int8):
            name = config.precision.name
            raise ConfigError(f"detect.precision: ONNX Runtime has no {name} on a CPU here; use fp32 or openvino")
        options = onnxruntime.SessionOptions()
        # Left to itself it pins each thread to a core.
        options.intra_op_num_threads = config.threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # decoder and encoder need the cores
        content = read_onnx(model)
        reference = read_reference(content, model)
        try:
            self._session = open_session(content, options)
        except Exception as error:  # its errors have no class in common
            raise RuntimeError(first_line(error)) from error
        reference.check(self, Precision.fp32, model.name)

    def __call__(self, images: Pictures) -> Maps:
        """See `Network`; one image after the other, as the maps of more leave a CPU's caches."""
        run = onnxruntime.RunOptions()
        run.log_severity_level = _SILENT
        parts = (np.ascontiguousarray(images[index : index + 1]) for index in range(len(images)))
        try:
            return np.concatenate([self._session.run([OUTPUT], {INPUT: part}, run)[0] for part in parts])
        except Exception as error:
            raise RuntimeError(first_line(error)) from error


def open_session(content: bytes, options: Any = None) -> Any:
    """Open an ONNX network on the CPU, as an InferenceSession that reports and logs nothing.

    options: SessionOptions; None: ONNX Runtime's defaults
    Raises exceptions of ONNX Runtime's own, which have no class in common.
    """
    onnxruntime.disable_telemetry_events()  # on Windows, where the variables do nothing
    chosen = onnxruntime.SessionOptions() if options is None else options
    chosen.log_severity_level = _SILENT
    return onnxruntime.InferenceSession(content, chosen, providers=["CPUExecutionProvider"])
