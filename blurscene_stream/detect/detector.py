"""The detector: frames in, what was found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from blurscene_stream.boxes import Boxes, Detections, Origin, iou
from blurscene_stream.config.schema import MergeConfig, MergeMethod, ModelConfig, Settings, chosen
from blurscene_stream.detect.decode import Peaks, find_peaks, joined
from blurscene_stream.detect.device import choose_device, choose_dtype, describe
from blurscene_stream.detect.merge import merge
from blurscene_stream.detect.merged import Merged
from blurscene_stream.detect.network import CLASS_COUNT, FacePlateNetwork, can_do_one_step
from blurscene_stream.detect.overlap import Floats
from blurscene_stream.detect.prepare import Layout, draw_frames
from blurscene_stream.detect.variants import plan_views
from blurscene_stream.detect.weights import fill_network, read_weights
from blurscene_stream.errors import ConfigError, DetectionError, first_line
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
        self._config = settings.detect
        self._thresholds = [each.threshold for each in chosen(settings, self.classes)]
        self._candidate_thresholds = [_candidates(threshold, settings.detect.merge) for threshold in self._thresholds]
        share = settings.track.continue_at if settings.track.use else 1.0
        self._doubtful_thresholds = [threshold * share for threshold in self._thresholds]

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """What is in each frame, in its stored pixels: one `Detections` a frame, in the same order.

        All frames have the same PictureInfo. Each box that is found stands for boxes of one class that overlap, and in
        one of them at least the network was surer than the class's threshold. When objects are followed over time,
        there are doubtful boxes as well; which boxes are found does not depend on that.

        Raises DetectionError when the network fails or gives numbers that are not finite.
        """
        if not frames:
            return []
        peaks, views = self.candidates(frames)
        return [self.merged(peaks, frame, views, self._config.merge) for frame in range(len(frames))]

    def candidates(self, frames: Sequence[Frame]) -> tuple[Peaks, int]:
        """All that the network sees in the variants of `frames`, before merging, and how many variants each has.

        The pictures of the Peaks are the indices of frames, boxes are in stored pixels. Raises DetectionError.
        """
        views = plan_views(frames[0].picture, self._config)
        try:
            return joined([self._look(frames, group) for group in _of_one_size(views)]), len(views)
        except RuntimeError as error:  # torch's own, such as no more memory
            size = max((view.width * view.height, f"{view.width}x{view.height}") for view in views)[1]
            raise DetectionError(
                f"the network failed on {len(frames) * len(views)} x {size} px on {self.device_name}: "
                f"{first_line(error)}; try a smaller detect.batch_size or detect.size_px"
            ) from error

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def _look(self, frames: Sequence[Frame], views: Sequence[Layout]) -> Peaks:
        """What is in the views of the frames, all of one size: indices of frames, boxes in stored pixels."""
        pictures = self._upload(frames, views)
        # A CPU takes one picture after the other: larger maps leave its caches (measured: 1.5 times as slow).
        at_once = 1 if self._device.type == "cpu" else len(pictures)
        parts = torch.split(pictures, at_once)
        maps = torch.cat([self._network(part.to(self._dtype)) for part in parts])
        peaks = find_peaks(maps, list(map(min, self._candidate_thresholds, self._doubtful_thresholds)))
        frame, view = np.divmod(peaks.pictures, len(views))
        boxes = np.empty_like(peaks.boxes)
        for index, layout in enumerate(views):
            boxes[view == index] = layout.to_stored(peaks.boxes[view == index])
        return Peaks(frame, peaks.labels, peaks.scores, boxes)

    def _upload(self, frames: Sequence[Frame], views: Sequence[Layout]) -> Tensor:
        """The views of the frames as network input: uint8 (frames * views, 3, H, W), channels last, on the device."""
        shape = (len(frames), len(views), views[0].height, views[0].width, 3)
        pictures = torch.zeros(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        draw_frames(frames, views, pictures.numpy())
        return pictures.flatten(0, 1).to(self._device, non_blocking=True).permute(0, 3, 1, 2)

    def merged(self, peaks: Peaks, frame: int, views: int, config: MergeConfig) -> Detections:
        """What `candidates` found in one frame: one box an object, best first within each class, doubtful ones last."""
        parts: list[Detections] = []
        for label in range(len(self.classes)):
            here = np.flatnonzero((peaks.pictures == frame) & (peaks.labels == label))
            parts += self._of_class(label, peaks.boxes[here], peaks.scores[here], views, config)
        return Detections.joined(parts)

    def _of_class(
        self, label: int, boxes: Boxes, scores: Floats, views: int, config: MergeConfig
    ) -> tuple[Detections, Detections]:
        """What was found of one class, and what is doubtful: neither found nor a part of it."""
        threshold = self._thresholds[label]
        usual = scores > np.float32(self._candidate_thresholds[label])
        made = merge(boxes[usual], scores[usual], config, views).above(threshold, config.post_merge_score_threshold)
        weak = (scores > np.float32(self._doubtful_thresholds[label])) & (scores <= np.float32(threshold))
        weak[weak] = ~(iou(boxes[weak], made.boxes) >= config.iou).any(axis=1)
        rest = merge(boxes[weak], scores[weak], replace(config, method=MergeMethod.nms), views)
        return self._detections(label, made, Origin.found), self._detections(label, rest, Origin.doubtful)

    def _detections(self, label: int, merged: Merged, origin: Origin) -> Detections:
        count = len(merged.boxes)
        labels, origins = np.full(count, label, np.int64), np.full(count, origin, np.int8)
        return Detections(merged.boxes, merged.scores, labels, self.classes, origins)


def _candidates(threshold: float, config: MergeConfig) -> float:
    """The score above which a box takes part in merging; the setting means "this score or more"."""
    least = np.float32(config.pre_merge_score_threshold)
    return float(np.nextafter(least, np.float32(0))) if least > 0 else threshold


def _of_one_size(views: Sequence[Layout]) -> list[list[Layout]]:
    """The views in groups that fit into one batch."""
    groups: dict[tuple[int, int], list[Layout]] = {}
    for view in views:
        groups.setdefault((view.width, view.height), []).append(view)
    return list(groups.values())


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
        raise DetectionError(
            f"the network cannot be set up on {name}: {first_line(error)}; try --device cpu"
        ) from error
    return Detector(network, device, dtype, settings)


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
