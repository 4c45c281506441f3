"""The detector: frames in, what was found out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ModelConfig, Settings, chosen
from blurscene_stream.detect.decode import Peaks, find_peaks
from blurscene_stream.detect.device import choose_device, choose_dtype, describe
from blurscene_stream.detect.merge import keep_best
from blurscene_stream.detect.network import CLASS_COUNT, FacePlateNetwork, can_do_one_step
from blurscene_stream.detect.prepare import Layout, draw_frames, plan_layout
from blurscene_stream.detect.weights import fill_network, read_weights
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import Frame


class Detector:
    """Finds the objects of `classes` in frames.

    classes:     the names that the labels stand for
    device_name: where it runs and how, such as "cpu, bf16"
    """

    def __init__(self, network: torch.nn.Module, device: torch.device, dtype: torch.dtype, settings: Settings) -> None:
        self.classes = tuple(settings.model.classes)
        self.device_name = describe(device, dtype)
        self._network = network
        self._device = device
        self._dtype = dtype
        self._thresholds = [each.threshold for each in chosen(settings, self.classes)]
        self._size_px = settings.detect.size_px
        self._enlarge = settings.detect.enlarge
        self._merge_iou = settings.detect.merge_iou

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """What is in each frame, in its stored pixels: one `Detections` a frame, in the same order.

        All frames have the same PictureInfo. Every box has a score above its class's threshold, and no two
        boxes of a class overlap by more than detect.merge_iou.

        Raises DetectionError when the network fails or gives numbers that are not finite.
        """
        if not frames:
            return []
        layout = plan_layout(frames[0].picture, self._size_px, self._enlarge)
        try:
            peaks = self._look(frames, layout)
        except RuntimeError as error:  # torch's own, such as no more memory
            work = f"{len(frames)} x {layout.width}x{layout.height} px on {self.device_name}"
            raise DetectionError(
                f"the network failed on {work}: {_reason(error)}; try a smaller detect.batch_size or detect.size_px"
            ) from error
        return [self._merge(peaks, index, layout) for index in range(len(frames))]

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def _look(self, frames: Sequence[Frame], layout: Layout) -> Peaks:
        pictures = self._upload(frames, layout)
        # A CPU takes one picture after the other: larger maps leave its caches (measured: 1.5 times as slow).
        at_once = 1 if self._device.type == "cpu" else len(pictures)
        parts = torch.split(pictures, at_once)
        return find_peaks(torch.cat([self._network(part.to(self._dtype)) for part in parts]), self._thresholds)

    def _upload(self, frames: Sequence[Frame], layout: Layout) -> Tensor:
        """The frames as network input: uint8 (B, 3, H, W), channels last, on the device."""
        shape = (len(frames), layout.height, layout.width, 3)
        pictures = torch.zeros(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        draw_frames(frames, layout, pictures.numpy())
        return pictures.to(self._device, non_blocking=True).permute(0, 3, 1, 2)

    def _merge(self, peaks: Peaks, picture: int, layout: Layout) -> Detections:
        """The boxes of one picture of the batch, one an object, best first within each class."""
        kept = []
        for label in range(len(self.classes)):
            here = np.flatnonzero((peaks.pictures == picture) & (peaks.labels == label))
            kept.append(here[keep_best(peaks.boxes[here], peaks.scores[here], self._merge_iou)])
        chosen_ones = np.concatenate(kept)
        boxes = layout.to_stored(peaks.boxes[chosen_ones])
        return Detections(boxes, peaks.scores[chosen_ones], peaks.labels[chosen_ones], self.classes)


def load_detector(settings: Settings) -> Detector:
    """The detector that `settings` describe, ready to be called from any thread.

    Raises ConfigError when the weights are missing, are not the ones that the settings name or do not fit the network,
    DeviceError when the device is not there, DetectionError when the file or the device cannot be used.
    """
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.detect.precision, device)
    if settings.detect.threads:
        torch.set_num_threads(settings.detect.threads)
    try:
        network = _build(settings.model, device, dtype)
    except RuntimeError as error:
        name = describe(device, dtype)
        raise DetectionError(f"the network cannot be set up on {name}: {_reason(error)}; try --device cpu") from error
    return Detector(network, device, dtype, settings)


def _reason(error: RuntimeError) -> str:
    """The first line of torch's message, cut where it gets long."""
    return str(error).partition("\n")[0][:200]


@torch.inference_mode()
def _build(model: ModelConfig, device: torch.device, dtype: torch.dtype) -> FacePlateNetwork:
    if len(model.classes) != CLASS_COUNT:
        raise ConfigError(f"model.classes must be {CLASS_COUNT} names for {model.name}, got {len(model.classes)}")
    with torch.device("meta"):  # no memory and no random numbers for weights that are read anyway
        network = FacePlateNetwork(model.plate_width, model.plate_depth)
    fill_network(network, read_weights(model), model.weights)
    network.fuse(can_do_one_step(device, dtype))
    # torch's type hints lack `memory_format` together with a dtype.
    network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
