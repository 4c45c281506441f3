"""The network of a built-in model, whatever library runs it: pictures in, heat maps or their peaks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import BUILT_IN, BUILT_IN_V2
from blurscene_stream.errors import DetectionError

if TYPE_CHECKING:
    from blurscene_stream.detect.preprocessor import Drawer  # it imports OpenCV

Pictures = NDArray[np.uint8]
"""RGB (B, 3, H, W); in memory channels come last."""

Maps = NDArray[np.float32]
"""(B, CLASS_COUNT, VALUES, H / STRIDE, W / STRIDE)."""

STRIDE = 4
"""Network pixels per cell of the output."""

CLASS_COUNT = 2
VALUES = 5
"""Values of a cell and class: logit of the score, log height, log width, offset down, offset right."""

MULTIPLES = {BUILT_IN: 32, BUILT_IN_V2: 64}
"""`_target_` of a network -> the number that both sides of its input are multiples of."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of heat maps at which an object may be.

    images, class_ids, rows, columns: int64 (N,), places in maps
    values: float32 (N, VALUES)
    """

    images: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Cells:
        images, class_ids = self.images[chosen], self.class_ids[chosen]
        return Cells(images, class_ids, self.rows[chosen], self.columns[chosen], self.values[chosen])


class Network(Protocol):
    """A built-in network, ready to run, from any thread."""

    @property
    def device_name(self) -> str:
        """Device, library and precision, such as "cpu, torch, bf16"."""

    def __call__(self, images: Pictures) -> Maps:
        """Return the heat maps of pictures; the size may differ from call to call.

        Raises RuntimeError when the library fails.
        """


class DeviceNetwork(Protocol):
    """A built-in network whose input is made, and whose maps are read, where it runs: only cells come down."""

    @property
    def device_name(self) -> str:
        """Device, library and precision, such as "cuda:0 NVIDIA H200, torch, bf16"."""

    def preprocessor(self) -> Drawer:
        """Return what makes its input, for one thread."""

    def cells(self, images: Any, lowest_logits: NDArray[np.float32]) -> Cells:
        """Return the local maxima of the heat maps of `images` above their class's limit (C,): all, in their order.

        images: as its preprocessor drew them

        Raises DetectionError when a number in the maps is not finite, RuntimeError when the library fails.
        """


def check_shape(maps: Sequence[int], images: Sequence[int]) -> None:
    """Raise DetectionError when maps of shape `maps` are not those of pictures of shape `images`, (B, 3, H, W)."""
    expected = (images[0], CLASS_COUNT, VALUES, images[2] // STRIDE, images[3] // STRIDE)
    if tuple(maps) != expected:
        raise DetectionError(f"the network gave maps of shape {tuple(maps)}, expected {expected}: it is another one")
