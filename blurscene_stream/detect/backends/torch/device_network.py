"""The built-in networks in torch on a GPU, as a `DeviceNetwork`: frames go up as planes, and cells come down."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.backends.network import Cells, check_shape
from blurscene_stream.detect.backends.torch.cuda_graphs import GraphedCalls, capture
from blurscene_stream.detect.backends.torch.devices import choose_dtype, describe, has_triton
from blurscene_stream.detect.backends.torch.peaks import fetch_cells, pack_peaks
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.backends.torch.torch_network import load_built_in, on_device


class OnDeviceNetwork:
    """`DeviceNetwork` in torch; the program has it on GPUs alone, but it runs on any device.

    A batch waits for the device once, when its cells come down.
    """

    def __init__(self, model: ModelConfig, device: str, config: DetectConfig) -> None:
        """Raise ConfigError when the weights are not there, or network and weights do not fit together."""
        self.device = torch.device(device)
        self._dtype = choose_dtype(config.precision, self.device)
        self.network = on_device(load_built_in(model), self.device, self._dtype)
        self._calls = GraphedCalls(self._calculate, capture if self.device.type == "cuda" else None)
        self._batch_size = config.batch_size
        self._limits: dict[bytes, Tensor] = {}

    @property
    def device_name(self) -> str:
        """See `DeviceNetwork`."""
        return describe(self.device, self._dtype, "torch with Triton" if has_triton(self.device) else "torch")

    def preprocessor(self) -> PlanePreprocessor:
        """See `DeviceNetwork`."""
        return PlanePreprocessor(self.device)

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def cells(self, images: Tensor, lowest_logits: NDArray[np.float32]) -> Cells:
        """See `DeviceNetwork`."""
        lowest = self._on_device(lowest_logits)
        with self._calls.outputs(self._padded(images), lowest) as (packed, maps):
            cells = fetch_cells(packed, maps, lowest)
        return cells[cells.images < len(images)]

    @torch.inference_mode()
    def maps(self, images: Tensor) -> Tensor:
        """Return the heat maps of pictures, on the device. Raises DetectionError when they have another size."""
        maps: Tensor = self.network(images.to(self._dtype))
        check_shape(maps.shape, images.shape)
        return maps

    def _padded(self, images: Tensor) -> Tensor:
        """The pictures and black ones behind them, up to a power of two or a whole batch.

        cuDNN plans each new shape: the last batch of a video must not be one.
        """
        count = len(images)
        full = min(1 << (count - 1).bit_length(), max(count, self._batch_size))
        return functional.pad(images, (0, 0, 0, 0, 0, 0, 0, full - count)) if full > count else images

    def _calculate(self, images: Tensor, lowest: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.maps(images)
        return pack_peaks(maps, lowest), maps

    def _on_device(self, lowest: NDArray[np.float32]) -> Tensor:
        """The limits on the device: to bring them up for each batch would mean to wait."""
        key = lowest.tobytes()
        if key not in self._limits:
            self._limits[key] = torch.from_numpy(lowest.copy()).to(self.device)
        return self._limits[key]
