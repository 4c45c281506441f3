"""Any detection model of torchvision, BlurScene's among them, as a `Model`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.allowed_targets import build_network
from blurscene_stream.detect.backends.torch.devices import choose_amp_dtype, describe, set_threads
from blurscene_stream.detect.backends.torch.state_dict import fill_network, read_weights
from blurscene_stream.detect.letterbox import Letterbox, letterbox_centered, letterbox_top_left
from blurscene_stream.detect.model import Candidates
from blurscene_stream.detect.nan_guard import NanGuard, check_finite
from blurscene_stream.detect.preprocessor import Preprocessor
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import PictureInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Limits inside a network: at most so many boxes per image, none with a lower score."""

    max_boxes: int
    min_score: float


class TorchvisionModel:
    """`Model` with a network that takes a list of images in 0..1 and gives dicts of boxes, labels and scores.

    The network resizes and normalizes its images itself, as torchvision's do.
    """

    preprocessor = Preprocessor

    def __init__(self, model: ModelConfig, device: str, config: DetectConfig) -> None:
        """Raise ConfigError when the model's file is refused, or network, weights, classes do not fit together."""
        if max(config.variants.scales) > 1:
            raise ConfigError(
                f"{model.name}: the network sets its own size, so detect.variants.scales must be at most 1; "
                "detect.variants.enlarged_regions_n enlarges"
            )
        set_threads(config.threads)
        network = build_network(model)
        self._label_map = LabelMap(model, network)
        fill_network(network, read_weights(model), model.weights)
        self.network = network.eval().requires_grad_(False).to(device)
        self.class_names = tuple(model.classes)
        red, green, blue = model.input.pad_rgb
        self.pad_rgb = (red, green, blue)
        self._name, self._input, self._config, self._device = model.name, model.input, config, torch.device(device)
        self._dtype = choose_amp_dtype(model.with_amp, config.precision, self._device)
        self._nan_guard = NanGuard(network)
        self._limits = _limits(network)

    @property
    def device_name(self) -> str:
        """See `Model`."""
        return describe(self._device, self._dtype)

    def letterbox(self, picture: PictureInfo, scale: float) -> Letterbox:
        """The input keeps its size, else the network would undo `scale`; the picture gets smaller in it."""
        width, height = self._input.width_px, self._input.height_px
        if width is not None and height is not None:
            return letterbox_centered(picture, width, height, scale)
        size = self._config.size_px, self._config.max_upscale
        whole = letterbox_top_left(picture, *size)
        return replace(letterbox_top_left(picture, *size, scale), width=whole.width, height=whole.height)

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def __call__(self, images: NDArray[np.uint8], thresholds: Sequence[float]) -> Candidates:
        """See `Model`."""
        shown = torch.from_numpy(images).to(self._device)
        at_once = 1 if self._device.type == "cpu" else len(images)  # on a CPU more of them only need more memory
        found = [each for part in torch.split(shown, at_once) for each in self._run(part)]
        self._nan_guard.check()
        table = torch.cat(found).cpu()
        if self._limits is not None:
            self._warn(self._limits, max(map(len, found)), min(thresholds))
        check_finite(table)
        rows = table.numpy()
        image = np.repeat(np.arange(len(found)), [len(each) for each in found])
        class_id = self._label_map.class_ids(rows[:, 0].astype(np.int64))
        scores, boxes = rows[:, 1], rows[:, 2:]
        kept = (class_id >= 0) & (scores > np.asarray(thresholds, np.float32)[class_id])
        return Candidates(image, class_id, scores, boxes)[kept]

    def _run(self, images: Tensor) -> list[Tensor]:
        """Label, score and corners of all boxes (N, 6) for each image."""
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not torch.float32):
            answer = self.network(list(images.float() / 255))
        if not (isinstance(answer, list) and all(isinstance(each, Mapping) for each in answer)):
            raise DetectionError(f"{self._name}: the network gives no boxes, labels and scores: no detection model")
        return [_rows(each) for each in answer]

    def _warn(self, limits: Limits, count: int, threshold: float) -> None:
        """Warn once of boxes that the network keeps back whatever the settings say."""
        warnings = []
        if count >= limits.max_boxes:
            warnings.append(
                f"gives no more than {limits.max_boxes} boxes a picture: some may be missing; a higher "
                "box_detections_per_img (or detections_per_img)"
            )
        if 0 < threshold < limits.min_score:
            warnings.append(
                f"drops what scores less than {limits.min_score:g}, above a class's threshold; a lower "
                "box_score_thresh (or score_thresh)"
            )
        for text in warnings:
            log.warning("%s", f"{self._name}: the network {text} in its file finds more")
            self._limits = None


def _rows(found: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([found["labels"].float()[:, None], found["scores"].float()[:, None], found["boxes"].float()], 1)


def _limits(network: nn.Module) -> Limits | None:
    """As torchvision's detection models have them, each in the module that picks the boxes."""
    for module in network.modules():
        max_boxes, min_score = getattr(module, "detections_per_img", None), getattr(module, "score_thresh", None)
        if isinstance(max_boxes, int) and isinstance(min_score, int | float):
            return Limits(max_boxes, min_score)
    return None


class LabelMap:
    """Maps the labels of a network to class ids; torchvision's label 0 is the background."""

    def __init__(self, model: ModelConfig, network: nn.Module) -> None:
        """Raise ConfigError when the network scores another number of classes than `model` names."""
        self._name = model.name
        self._all_one = model.labels is not None and not model.labels
        self._complete = model.labels is None
        self._labels = np.array(model.labels or range(1, len(model.classes) + 1), np.int64)
        count = _score_count(network)
        if count is None or self._all_one:
            return
        if self._complete and count != len(model.classes) + 1:
            raise ConfigError(
                f"{model.name}: the network knows {count - 1} classes, model.classes names {len(model.classes)}; "
                "name them all, or say with model.labels which ones are meant"
            )
        if self._labels.max() >= count:
            raise ConfigError(f"{model.name}: model.labels must be in 0..{count - 1}, got {self._labels.max()}")

    def class_ids(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class id of each label (N,); -1 for the background, and for one that the file leaves out.

        Raises DetectionError for a label that has no name where all should have one.
        """
        if self._all_one:
            return np.zeros_like(labels)
        same = labels[:, None] == self._labels
        if self._complete and bool((~same.any(1) & (labels != 0)).any()):
            raise DetectionError(f"{self._name}: the network gave label {labels.max()}, which has no name in its file")
        return np.where(same.any(1), same.argmax(1), -1)


def _score_count(network: nn.Module) -> int | None:
    """The number of classes that the network scores, with the background, as torchvision's heads have it."""
    for module in network.modules():
        found = getattr(getattr(module, "cls_score", None), "out_features", None)  # Faster R-CNN and its kin
        for name in ("num_classes", "num_columns"):  # RetinaNet and FCOS, SSD
            found = found or getattr(module, name, None)
        if isinstance(found, int):
            return found
    return None
