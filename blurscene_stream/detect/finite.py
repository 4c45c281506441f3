"""Notices numbers that are not finite inside a network that would take them for "nothing there"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from blurscene_stream.errors import DetectionError

_ENDS = ("head", "box_predictor")
"""What torchvision calls the layers that score and place boxes: whatever goes wrong before them shows there."""


class FiniteWatch:
    """Sums up all that the last layers of `network` give; a sum is finite only if every term is.

    torchvision compares scores with a threshold, and what is no number is never above one: a network gone wrong,
    by an overflow in 16 bits for instance, would find nothing, and nothing would be covered.
    """

    def __init__(self, network: nn.Module) -> None:
        self._sums: list[Tensor] = []
        ends = [module for name, module in network.named_modules() if name.rpartition(".")[2] in _ENDS]
        for module in ends or _with_parameters(network):
            module.register_forward_hook(self._note)

    def check(self) -> None:
        """Raises DetectionError when anything since the last check was not finite."""
        sums, self._sums = self._sums, []
        if sums and not bool(torch.stack(sums).isfinite().all()):
            raise DetectionError("the network gave numbers that are not finite; try --set detect.precision=fp32")

    def _note(self, _: nn.Module, __: object, made: object) -> None:
        self._sums += [part.sum(dtype=torch.float32) for part in _tensors(made)]


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
