"""scripts/bench/loop.py with networks that have YuNet's and HyperLPR3's inputs and outputs, and find white squares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pytest.importorskip("onnx", reason="makes the networks; part of the extra 'export'")
pytest.importorskip("skimage", reason="the benchmark's picture comes with scikit-image, the extra 'demo'")
pytest.importorskip("onnxruntime", reason="the loop runs HyperLPR3 in it; part of the extra 'train'")

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scripts.bench.clips import write_video
from scripts.bench.loop import main

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 128, 96
FACE, PLATE = (slice(32, 64), slice(32, 64)), (slice(60, 80), slice(80, 120))


def test_the_loop_covers_what_its_networks_find(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[FACE] = rng.integers(150, 256, (32, 32, 1))
    picture[PLATE] = rng.integers(0, 2, (20, 40, 1)) * 120
    write_video(tmp_path / "in.mp4", WIDTH, HEIGHT, iter([picture] * 3))
    yunet(tmp_path / "yunet.onnx")
    hyperlpr(tmp_path / "hyperlpr.onnx", middle=(100, 70), size=(40, 20))
    files = [str(tmp_path / name) for name in ("yunet.onnx", "hyperlpr.onnx", "in.mp4", "out.mp4")]
    main(["--faces", files[0], "--plates", files[1], *files[2:]])
    (before, *_), after = luma(tmp_path / "in.mp4"), luma(tmp_path / "out.mp4")
    assert len(after) == 3
    for shown in after:
        assert detail(shown[FACE]) < detail(before[FACE]) / 3
        assert detail(shown[PLATE]) < detail(before[PLATE]) / 3
        assert detail(shown[:20]) > 0.8 * detail(before[:20])  # nothing is covered there


def detail(samples: NDArray[np.uint8]) -> float:
    """Return the mean difference of neighbours."""
    return float(np.abs(np.diff(samples.astype(int))).mean())


def luma(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]


def yunet(path: Path) -> None:
    """Write a network that scores each 8x8 cell by its brightness; the larger strides see nothing."""
    nodes, weights, outputs = [], [], []
    for stride in STRIDES:
        for name, count in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            seen = name in ("cls", "obj") and stride == STRIDES[0]
            kernel = np.full((count, 3, stride, stride), seen / 255 / 3 / stride**2, np.float32)
            key = f"{name}_{stride}"
            bias = np.zeros(count, np.float32)
            if name == "bbox":
                bias[:] = 0.5, 0.5, np.log(2), np.log(2)  # around the middle of the cell, twice as large
            weights += [numpy_helper.from_array(kernel, f"{key}_w"), numpy_helper.from_array(bias, f"{key}_b")]
            nodes += [
                helper.make_node("Conv", ["input", f"{key}_w", f"{key}_b"], [f"{key}_c"], strides=[stride, stride]),
                helper.make_node("Transpose", [f"{key}_c"], [f"{key}_t"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{key}_t", f"shape_{count}"], [key]),
            ]
            outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, [1, None, count]))
    weights += [numpy_helper.from_array(np.array([1, -1, count]), f"shape_{count}") for count in (1, 4, 10)]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
    _save(helper.make_graph(nodes, "yunet", [given], outputs, weights), path)


def hyperlpr(path: Path, middle: tuple[int, int], size: tuple[int, int]) -> None:
    """Write a network that finds one plate, always: its middle and size in pixels of the clip."""
    scale = 640 / WIDTH
    rows = np.zeros((1, 2, 15), np.float32)
    rows[0, 0, :5] = [*np.multiply(middle, scale), *np.multiply(size, scale), 1]
    rows[0, 0, 13] = 0.9
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["brightest"], keepdims=0),
        helper.make_node("Ceil", ["brightest"], ["one"]),
        helper.make_node("Mul", ["rows", "one"], ["output"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2, 15])
    _save(helper.make_graph(nodes, "hyperlpr", [given], [made], [numpy_helper.from_array(rows, "rows")]), path)


def _save(graph: Any, path: Path) -> None:
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), str(path))
