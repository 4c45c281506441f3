"""NaN guard: an overflow inside a network ends the run instead of passing for "nothing there"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from blurscene_stream.detect.model import NOT_FINITE
from blurscene_stream.errors import DetectionError

_HEAD_NAMES = ("head", "box_predictor")
"""Names of the layers in torchvision that score and place boxes: whatever goes wrong before them shows there."""


def check_finite(values: Tensor) -> None:
    """Raise DetectionError when a number that the network gave is not finite."""
    if not bool(values.isfinite().all()):
        raise DetectionError(NOT_FINITE)


class NanGuard:
    """Sums up the output of the last layers of `network`; a sum is finite only if every term is.

    torchvision compares scores with a threshold, and a NaN is never above one: after an overflow in 16 bits, for
    instance, it would find nothing, and nothing would be covered.
    """

    def __init__(self, network: nn.Module) -> None:
        self._sums: list[Tensor] = []
        heads = [module for name, module in network.named_modules() if name.rpartition(".")[2] in _HEAD_NAMES]
        for module in heads or _with_parameters(network):
            module.register_forward_hook(self._add)

    def check(self) -> None:
        """Raise DetectionError when anything since the last check was not finite."""
        sums, self._sums = self._sums, []
        if sums:
            check_finite(torch.stack(sums))

    def _add(self, _: nn.Module, __: object, output: object) -> None:
        self._sums += [part.sum(dtype=torch.float32) for part in _tensors(output)]


def _with_parameters(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
