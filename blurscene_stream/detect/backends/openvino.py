"""OpenVINO as a back end, on the CPU: the fastest one there.

The package `openvino` brings `openvino-telemetry` along, which sends reports on the use of OpenVINO's converter. It is
kept from being imported, and OpenVINO then takes an empty stand-in of its own. The converter is not used either, and
takes half the time of importing OpenVINO: `import openvino` does without where it cannot be imported.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it raises ImportError now
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # the converter: likewise
import openvino  # noqa: E402

if sys.modules["openvino.tools.ovc"] is None:
    del sys.modules["openvino.tools.ovc"]  # who wants it can import it

from blurscene_stream.config.schema import BUILT_IN_V2, DetectConfig, ModelConfig, Precision  # noqa: E402
from blurscene_stream.detect.backends.check_picture import check_picture  # noqa: E402
from blurscene_stream.detect.backends.network import CLASS_COUNT, STRIDE, VALUES, Maps, Pictures  # noqa: E402
from blurscene_stream.detect.backends.onnx_file import read_onnx, read_reference, takes_int8  # noqa: E402
from blurscene_stream.detect.backends.processor import has_fast_bf16  # noqa: E402
from blurscene_stream.detect.backends.reference import check_same  # noqa: E402
from blurscene_stream.errors import ConfigError  # noqa: E402

_NAMES = {"f32": "fp32", "bf16": "bf16"}

MIN_PIXELS = (
    100_000_000  # of one size, 100 pictures of 1280 x 768: what a network of its own saves on them, compiling costs
)
MAX_SIZES = 2  # that get a network of their own: each takes memory for its weights and maps

Size = tuple[int, int]  # height, width


class OpenVinoNetwork:
    """`Network` in OpenVINO, compiled for inputs of any size, and again for a size of which many pictures come.

    With a fixed size OpenVINO takes channels where they lie, and does not move them first: 4 to 9 % of the time. In
    int8 it rounds face_plate_v1's sums at other places then, which would change in mid-run what is found: that has one
    network for all sizes.
    """

    def __init__(self, model: ModelConfig, config: DetectConfig) -> None:
        """Compile the network and check it.

        Raises ConfigError when it is not there or not the one meant, DetectionError when it does not give what it must,
        RuntimeError when the library fails.
        """
        int8, precision = takes_int8(model, config.precision), config.precision
        bf16 = precision is Precision.bf16 or (precision is Precision.auto and not int8 and has_fast_bf16())
        content = read_onnx(model, int8)
        reference = read_reference(content, model, int8)
        self._compile = partial(_compile, content, "bf16" if bf16 else "f32", config.threads)
        self._any_size = _Requests(self._compile())
        self._fixed_size: dict[Size, _Requests] = {}
        self._max_sizes = MAX_SIZES if not int8 or model.network["_target_"] == BUILT_IN_V2 else 0
        self._seen_px = Counter[Size]()
        taken = _NAMES[self._any_size.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()]
        if config.precision is Precision.bf16 and taken != "bf16":
            raise ConfigError("detect.precision: OpenVINO has no bf16 on this processor; use fp32, or torch for bf16")
        self._name, self._precision = model.name, Precision.int8 if int8 else Precision[taken]
        self.device_name = f"cpu, OpenVINO, {self._precision.name}"
        reference.check(self, self._precision, model.name)

    def __call__(self, images: Pictures) -> Maps:
        """See `Network`; one image after the other, as the maps of more leave a CPU's caches."""
        pictures = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # as they are in memory: no copy
        try:
            return self._requests(pictures).maps(pictures)
        except RuntimeError as error:
            # After an error a compiled network may give no other answer.
            self._any_size, self._fixed_size = _Requests(self._compile()), {}
            raise RuntimeError(_reason(error)) from error

    def _requests(self, pictures: NDArray[np.uint8]) -> _Requests:
        """The network for pictures (B, H, W, 3): that of their size, which is compiled as soon as it pays."""
        count, height, width, _ = pictures.shape
        size = height, width
        self._seen_px[size] += count * height * width
        if (
            size not in self._fixed_size
            and len(self._fixed_size) < self._max_sizes
            and self._seen_px[size] > MIN_PIXELS
        ):
            self._add_fixed_size(size)
        return self._fixed_size.get(size, self._any_size)

    def _add_fixed_size(self, size: Size) -> None:
        """Compile the network for pictures of `size`; in int8 it is only taken if it rounds nothing differently.

        Raises DetectionError when it does not give what the network for all sizes gives.
        """
        made, (height, width) = _Requests(self._compile(size)), size
        picture = np.ascontiguousarray(check_picture(height, width).transpose(0, 2, 3, 1))
        given, wanted = made.maps(picture), self._any_size.maps(picture)
        where = f"{self._name} on {self.device_name}, compiled for {width}x{height} px,"
        check_same(given, wanted, self._precision, where)
        if self._precision is Precision.int8 and not np.array_equal(given, wanted):
            self._max_sizes = 0
        else:
            self._fixed_size[size] = made


class _Requests:
    """A compiled network, and its inference requests that are not at work: each serves one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._idle: list[Any] = []

    def maps(self, pictures: NDArray[np.uint8]) -> Maps:
        """Run the network on pictures (B, H, W, 3)."""
        count, height, width, _ = pictures.shape
        maps = np.empty((count, CLASS_COUNT, VALUES, height // STRIDE, width // STRIDE), np.float32)
        with self.taken() as request:
            for picture, out in zip(pictures, maps, strict=True):
                (out[...],) = request.infer({0: picture[None]}, share_inputs=True, share_outputs=True)[0]
        return maps

    @contextmanager
    def taken(self) -> Iterator[Any]:
        try:
            request = self._idle.pop()
        except IndexError:  # the first call, or others are at work on other threads
            request = self.compiled.create_infer_request()
        yield request
        self._idle.append(request)  # one that has failed is dropped


def _compile(content: bytes, precision: str, threads: int, size: Size | None = None) -> Any:
    try:
        return compile_network(content, precision, threads, size)
    except RuntimeError as error:
        raise RuntimeError(_reason(error)) from error


def _reason(error: RuntimeError) -> str:
    """The last line of OpenVINO's message; those before it name places in its source."""
    return next(filter(None, map(str.strip, reversed(str(error).splitlines()))), "no reason given")


def compile_network(content: bytes, precision: str, threads: int, size: Size | None = None) -> Any:
    """Compile an ONNX network for pictures with channels last.

    threads: 0 for as many as there are cores
    size:    of the pictures, which come one by one; None for any number of any size
    Raises RuntimeError.
    """
    core = openvino.Core()
    network = core.read_model(content)
    if size is not None:
        network.reshape([1, 3, *size])
    steps = openvino.preprocess.PrePostProcessor(network)
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
