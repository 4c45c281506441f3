"""Export of trained weights: the state dict that the product loads, and an ONNX file for other programs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights

_EXAMPLE_SIDE = 128  # of the input that the network is traced with; the sides of the ONNX file's input are free


def read_state(file: Path) -> dict[str, Tensor]:
    """Read a state dict as the product does: tensors of finite numbers and nothing else, in float32.

    Raises ConfigError.
    """
    return dict(read_weights(ModelConfig(weights=str(file), sha256=None)))


def load_network(file: Path) -> FacePlateV2Network:
    """Load a network of the default shape, not fused. Raises ConfigError when `file` holds another one."""
    network = FacePlateV2Network()
    fill_network(network, read_state(file), file.name)
    return network


def export_weights(state: Mapping[str, Tensor], file: Path) -> str:
    """Write `state` in float16, which halves the file and costs no accuracy; return the file's SHA-256."""
    halved = {name: (each.half() if each.is_floating_point() else each).cpu() for name, each in state.items()}
    buffer = io.BytesIO()
    torch.save({name: each.contiguous() for name, each in halved.items()}, buffer)
    file.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def export_onnx(network: FacePlateV2Network, file: Path) -> None:
    """Write the network as ONNX: `image`, float32 (B, 3, H, W), RGB 0 to 255 -> `maps` (B, 2, 5, H / 4, W / 4).

    H and W are multiples of 64; `network` is fused. Raises ImportError without the packages onnx and onnxscript.
    """
    image = torch.zeros(2, 3, _EXAMPLE_SIDE, _EXAMPLE_SIDE)
    sides = {axis: torch.export.Dim(name, min=1) * network.multiple for axis, name in ((2, "rows"), (3, "columns"))}
    program = torch.onnx.export(
        network.fuse(fused_relu=False),
        (image,),
        input_names=["image"],
        output_names=["maps"],
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim.AUTO, **sides},),
    )
    assert program is not None
    program.save(file)
