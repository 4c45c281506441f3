"""What the label numbers of a network of torchvision stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.errors import ConfigError, DetectionError


class Labels:
    """Knows the class of each label; torchvision's label 0 is the background.

    Raises ConfigError when the network scores another number of classes than `model` names.
    """

    def __init__(self, model: ModelConfig, network: nn.Module) -> None:
        self._name = model.name
        self._all_one = model.labels == []
        self._complete = model.labels is None
        self._labels = np.array(model.labels or range(1, len(model.classes) + 1), np.int64)
        count = _scored(network)
        if count is None or self._all_one:
            return
        if self._complete and count != len(model.classes) + 1:
            raise ConfigError(
                f"{model.name}: the network knows {count - 1} classes, model.classes names {len(model.classes)}; "
                "name them all, or say with model.labels which ones are meant"
            )
        if self._labels.max() >= count:
            raise ConfigError(f"{model.name}: model.labels must be in 0..{count - 1}, got {self._labels.max()}")

    def classes_of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index into the classes of each label (N,); -1 for the background, and for one that the file leaves out.

        Raises DetectionError for a label that has no name where all should have one.
        """
        if self._all_one:
            return np.zeros_like(labels)
        same = labels[:, None] == self._labels
        if self._complete and bool((~same.any(1) & (labels != 0)).any()):
            raise DetectionError(f"{self._name}: the network gave label {labels.max()}, which has no name in its file")
        return np.where(same.any(1), same.argmax(1), -1)


def _scored(network: nn.Module) -> int | None:
    """How many classes the network scores, the background among them, as torchvision's heads say it."""
    for module in network.modules():
        found = getattr(getattr(module, "cls_score", None), "out_features", None)  # Faster R-CNN and its kin
        for name in ("num_classes", "num_columns"):  # RetinaNet and FCOS, SSD
            found = found or getattr(module, name, None)
        if isinstance(found, int):
            return found
    return None
