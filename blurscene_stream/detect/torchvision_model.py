"""Any detection model of torchvision, BlurScene's among them, as a `Model`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.decode import Peaks
from blurscene_stream.detect.device import choose_amp_dtype, describe
from blurscene_stream.detect.finite import FiniteWatch
from blurscene_stream.detect.labels import Labels
from blurscene_stream.detect.prepare import Layout, plan_layout, plan_padded
from blurscene_stream.detect.targets import build_network
from blurscene_stream.detect.weights import fill_network, read_weights
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import PictureInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a network gives at most: so many boxes a picture, none with a lower score."""

    most: int
    least_score: float


class TorchvisionModel:
    """`Model` with a network that takes a list of pictures in 0..1 and gives dicts of boxes, labels and scores.

    The network shrinks, enlarges and normalizes its pictures itself, as torchvision's do.
    """

    def __init__(self, model: ModelConfig, device: torch.device, config: DetectConfig) -> None:
        """Raises ConfigError when the model's file is refused, or network, weights, classes do not fit together."""
        if max(config.variants.scales) > 1:
            raise ConfigError(
                f"{model.name}: the network sets its own size, so detect.variants.scales must be at most 1; "
                "detect.variants.enlarged_regions_n enlarges"
            )
        if config.every > 1 and config.small_scan_scale < 1:
            raise ConfigError(
                f"{model.name}: the network sets its own size, so a small look would cost as much as a whole one: "
                "detect.small_scan_scale must be 1 (the whole picture without other variants), or detect.every 1"
            )
        network = build_network(model)
        self._labels = Labels(model, network)
        fill_network(network, read_weights(model), model.weights)
        self.network = network.eval().requires_grad_(False).to(device)
        self.classes = tuple(model.classes)
        red, green, blue = model.input.pad_rgb
        self.pad_rgb = (red, green, blue)
        self._name, self._input, self._config, self._device = model.name, model.input, config, device
        self._dtype = choose_amp_dtype(model.with_amp, config.precision, device)
        self._watch = FiniteWatch(network)
        self._limits = _limits(network)

    @property
    def device_name(self) -> str:
        """See `Model`."""
        return describe(self._device, self._dtype)

    def plan(self, picture: PictureInfo, times: float) -> Layout:
        """The input keeps its size, else the network would undo `times`; the picture gets smaller in it."""
        width, height = self._input.width_px, self._input.height_px
        if width is not None and height is not None:
            return plan_padded(picture, width, height, times)
        size = self._config.size_px, self._config.max_upscale
        whole = plan_layout(picture, *size, multiple=1)
        return replace(plan_layout(picture, *size, times, multiple=1), width=whole.width, height=whole.height)

    def __call__(self, pictures: Tensor, thresholds: Sequence[float]) -> Peaks:
        """See `Model`."""
        at_once = 1 if self._device.type == "cpu" else len(pictures)  # on a CPU more of them only need more memory
        found = [each for part in torch.split(pictures, at_once) for each in self._look(part)]
        self._watch.check()
        rows = torch.cat(found).cpu().numpy()
        if self._limits is not None:
            self._warn(self._limits, max(map(len, found)), min(thresholds))
        if not np.isfinite(rows).all():
            raise DetectionError("the network gave a box that is not finite; try --set detect.precision=fp32")
        picture = np.repeat(np.arange(len(found)), [len(each) for each in found])
        label = self._labels.classes_of(rows[:, 0].astype(np.int64))
        scores, boxes = rows[:, 1], rows[:, 2:]
        sure = (label >= 0) & (scores > np.asarray(thresholds, np.float32)[label])
        return Peaks(picture[sure], label[sure], scores[sure], boxes[sure])

    def _look(self, pictures: Tensor) -> list[Tensor]:
        """Label, score and corners of all boxes (N, 6) for each picture."""
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not torch.float32):
            answer = self.network(list(pictures.float() / 255))
        if not (isinstance(answer, list) and all(isinstance(each, Mapping) for each in answer)):
            raise DetectionError(f"{self._name}: the network gives no boxes, labels and scores: no detection model")
        return [_rows(each) for each in answer]

    def _warn(self, limits: Limits, count: int, threshold: float) -> None:
        """Say once what the network keeps back whatever the settings say."""
        told = []
        if count >= limits.most:
            told.append(
                f"gives no more than {limits.most} boxes a picture: some may be missing; a higher "
                "box_detections_per_img (or detections_per_img)"
            )
        if 0 < threshold < limits.least_score:
            told.append(
                f"drops what scores less than {limits.least_score:g}, above a class's threshold; a lower "
                "box_score_thresh (or score_thresh)"
            )
        for text in told:
            log.warning("%s", f"{self._name}: the network {text} in its file finds more")
            self._limits = None


def _rows(found: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([found["labels"].float()[:, None], found["scores"].float()[:, None], found["boxes"].float()], 1)


def _limits(network: nn.Module) -> Limits | None:
    """As torchvision's detection models have them, each in the module that picks the boxes."""
    for module in network.modules():
        most, least = getattr(module, "detections_per_img", None), getattr(module, "score_thresh", None)
        if isinstance(most, int) and isinstance(least, int | float):
            return Limits(most, least)
    return None
