"""Export of a built-in network to ONNX, from torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from blurscene_stream.detect.backends.onnx_file import INPUT, OUTPUT
from blurscene_stream.detect.backends.torch.network import FacePlateNetwork
from blurscene_stream.detect.backends.torch.torch_network import BuiltIn

_EXAMPLE_CELLS = 2, 3  # of the input that the network is traced with, in multiples of its sides
_STORED = ".float16"  # what a name of weights ends in where they are stored


class _OfBytes(nn.Module):
    """A network that takes pictures as they are."""

    def __init__(self, network: BuiltIn) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) -> maps."""
        made: Tensor = self.network(images.float())
        return made


def export_onnx(network: BuiltIn, metadata: Mapping[str, str]) -> bytes:
    """Export a network, not fused yet, as ONNX: `images`, uint8 (B, 3, H, W), RGB -> `maps`, of any size and number.

    Weights are stored in float16, as they are in the weights file, and calculated with in float32.
    metadata: what it was made of, and what it must give
    """
    network.fuse(fused_relu=False)
    if isinstance(network, FacePlateNetwork):
        network.is_tiled = False
    model = _traced(network)
    _strip(model)
    _halve(model)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _traced(network: BuiltIn) -> Any:
    down, across = (count * network.multiple for count in _EXAMPLE_CELLS)
    sides = {axis: torch.export.Dim(name, min=1) * network.multiple for axis, name in ((2, "rows"), (3, "columns"))}
    with _quiet():
        program = torch.onnx.export(
            _OfBytes(network).eval(),
            (torch.zeros(2, 3, down, across, dtype=torch.uint8),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim.AUTO, **sides},),
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says about its own future, and about packages that are not needed here."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _strip(model: Any) -> None:
    """Drop where in which file each node was made, and the shapes in between."""
    graph = model.graph
    del graph.value_info[:]
    for each in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del each.metadata_props[:]
        each.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        for index, side in enumerate(value.type.tensor_type.shape.dim):
            if side.dim_param:
                side.dim_param = f"{value.name}_{index}" if index else "batch"


def _halve(model: Any) -> None:
    """Store weights in float16, and cast them to float32 in front of everything else."""
    casts = []
    for weights in model.graph.initializer:
        if weights.data_type == TensorProto.FLOAT:
            name = weights.name
            halved = numpy_helper.to_array(weights).astype(np.float16)
            weights.CopyFrom(numpy_helper.from_array(halved, name + _STORED))
            casts.append(helper.make_node("Cast", [name + _STORED], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
