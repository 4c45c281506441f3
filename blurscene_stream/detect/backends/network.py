"""The network of a built-in model, whatever library runs it: pictures in, heat maps out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import BUILT_IN, BUILT_IN_V2

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


class Network(Protocol):
    """A built-in network, ready to run, from any thread."""

    @property
    def device_name(self) -> str:
        """Device, library and precision, such as "cpu, torch, bf16"."""

    def __call__(self, images: Pictures) -> Maps:
        """Return the heat maps of pictures; the size may differ from call to call.

        Raises RuntimeError when the library fails.
        """
