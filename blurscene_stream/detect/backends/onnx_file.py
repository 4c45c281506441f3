"""ONNX files of the built-in networks, as `blurscene-stream export` writes them: read and checked without a library.

Before a library sees a file: it is the one that the settings name, it was made of the weights that they name, and it
holds all its numbers itself, each of them finite. Protocol Buffers' wire format:
https://protobuf.dev/programming-guides/encoding; the messages and their field numbers: onnx.proto of ONNX.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from blurscene_stream.config.schema import ModelConfig, Precision
from blurscene_stream.detect.backends.processor import has_fast_int8
from blurscene_stream.detect.backends.reference import Reference
from blurscene_stream.detect.weights import find_weights, read_verified
from blurscene_stream.errors import ConfigError
from blurscene_stream.own_files import NETWORK

SUFFIX = ".onnx"
INT8_SUFFIX = "_int8.onnx"
INPUT, OUTPUT = "images", "maps"
"""uint8 (B, 3, H, W), RGB, and float32, as in `backends.network`."""

REFERENCE = "reference"
"""Key in the metadata: the text of a `reference.Reference`."""

_WEIGHTS, _NETWORK = NETWORK.label, "network"  # keys too

_GRAPH, _METADATA, _FUNCTIONS = 7, 14, 25  # of ModelProto
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15  # of GraphProto
_ATTRIBUTE = 5  # of NodeProto
_DATA_TYPE, _RAW_DATA, _EXTERNAL_DATA = 2, 9, 13  # of TensorProto
_ATTRIBUTE_TENSORS = {5, 6, 10, 11, 22, 23}  # t, g, tensors, graphs and the sparse ones, of AttributeProto
_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 7: np.int64, 10: np.float16}  # TensorProto.DataType

_MAKERS = {False: "blurscene-stream export", True: "python -m scripts.training quantize"}  # by whether it is in int8

Value = int | memoryview


def find_onnx(model: ModelConfig, int8: bool = False) -> Path | None:
    """Find the ONNX file beside the weights of `model`; None when there is none. Raises ConfigError without weights.

    int8: the one of the quantized network
    """
    weights = find_weights(model.weights)
    path = weights.with_name(_file_name(model, int8))
    return path if path.is_file() else None


def _file_name(model: ModelConfig, int8: bool) -> str:
    return Path(model.weights).stem + (INT8_SUFFIX if int8 else SUFFIX)


def takes_int8(model: ModelConfig, precision: Precision) -> bool:
    """Whether a CPU runs `model` in int8: where it is asked for, or where it is fast and the file is there.

    Raises ConfigError when it is asked for and the processor would calculate something else.
    """
    if precision is Precision.int8 and not has_fast_int8():
        raise ConfigError("detect.precision: this processor has neither VNNI nor AMX for int8; use fp32")
    asked, free = precision is Precision.int8, precision is Precision.auto
    return asked or (free and has_fast_int8() and find_onnx(model, int8=True) is not None)


def read_onnx(model: ModelConfig, int8: bool = False) -> bytes:
    """Read the ONNX file of `model`, or with `int8` that of the quantized network.

    Raises ConfigError when there is none, or it is not the one that the settings name, was exported from other weights,
    or holds anything but numbers that are finite.
    """
    path = find_onnx(model, int8)
    if path is None:
        name = _file_name(model, int8)
        raise ConfigError(f"{model.weights}: there is no {name} beside it; {_MAKERS[int8]} makes it")
    key = "int8_sha256" if int8 else "onnx_sha256"
    content = read_verified(path, getattr(model, key), f"model.{key}")
    written, wanted = check_onnx(content, path.name), origin(model)
    if written.get(_WEIGHTS) != wanted[_WEIGHTS]:
        raise ConfigError(f"{path.name}: was not exported from {model.weights}; export it again")
    if written.get(_NETWORK) != wanted[_NETWORK]:
        raise ConfigError(f"{path.name}: model.network must be {written.get(_NETWORK)}, got {wanted[_NETWORK]}")
    return content


def read_reference(content: bytes, model: ModelConfig, int8: bool = False) -> Reference:
    """Return what the network of `model` must give, from its ONNX file, as `read_onnx` returns it.

    Raises ConfigError when it does not say that for the check picture of today.
    """
    try:
        return Reference.from_text(_metadata(content)[REFERENCE])
    except (KeyError, ValueError) as error:
        name = _file_name(model, int8)
        raise ConfigError(f"{name}: holds no values to check the network by; {_MAKERS[int8]} makes it anew") from error


def origin(model: ModelConfig) -> dict[str, str]:
    """Return what the ONNX file of `model` was made of: the SHA-256 of its weights, and the network that they fill."""
    weights = model.sha256 or hashlib.sha256(find_weights(model.weights).read_bytes()).hexdigest()
    return {_WEIGHTS: weights, _NETWORK: json.dumps(model.network, sort_keys=True)}


def check_onnx(content: bytes, name: str) -> dict[str, str]:
    """Check that a network holds all its numbers itself, and that they are finite; return its metadata.

    Raises ConfigError, with `name` as the file's.
    """
    try:
        for number, value in _fields(memoryview(content)):
            if number == _GRAPH:
                _check_graph(_message(value), name)
            elif number == _FUNCTIONS:
                raise ValueError("functions")
        return _metadata(content)
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{name}: not a network that blurscene-stream export has written ({error})") from error


def _metadata(content: bytes) -> dict[str, str]:
    found = {}
    for number, value in _fields(memoryview(content)):
        if number == _METADATA:
            entry = dict(_fields(_message(value)))
            found[str(_message(entry[1]), "utf-8")] = str(_message(entry[2]), "utf-8")
    return found


def _check_graph(graph: memoryview, name: str) -> None:
    """Check the tensors of a graph: plain ones, each at its own place; nodes hold none."""
    for number, value in _fields(graph):
        if number == _INITIALIZER:
            _check_tensor(_message(value), name)
        elif number == _SPARSE_INITIALIZER:
            raise ValueError("sparse tensors")
        elif number == _NODE:
            for field, attribute in _fields(_message(value)):
                if field == _ATTRIBUTE and _ATTRIBUTE_TENSORS & {number for number, _ in _fields(_message(attribute))}:
                    raise ValueError("tensors or graphs inside a node")


def _check_tensor(tensor: memoryview, name: str) -> None:
    fields = {number: value for number, value in _fields(tensor) if number in {_DATA_TYPE, _RAW_DATA, _EXTERNAL_DATA}}
    if _EXTERNAL_DATA in fields:
        raise ValueError("data in another file")
    numbers = np.frombuffer(_message(fields[_RAW_DATA]), _DTYPES[int(fields[_DATA_TYPE])])
    if not np.isfinite(numbers).all():
        raise ConfigError(f"{name}: holds numbers that are not finite; train or fetch the weights again")


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield number and value of each field of a message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        value: Value
        if kind == 0:
            value, place = _varint(message, place)
        else:
            length, place = _varint(message, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
            value, place = message[place : place + length], place + length
            if place > len(message):
                raise ValueError("cut short")
        yield number, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, the lowest first, and the place behind it."""
    number = 0
    for count, byte in enumerate(message[place : place + 10]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return number, place + count + 1
    raise ValueError("cut short")


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number in place of a message")
    return value
