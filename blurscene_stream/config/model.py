"""Settings of a detection model (config/model/*.yaml): its network, weights, class names and input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from blurscene_stream.config.validation import NOT_EMPTY, Constraint, between, matching, validate
from blurscene_stream.errors import ConfigError

BUILT_IN = "blurscene_stream.detect.backends.torch.network.FacePlateNetwork"
"""The `_target_` of the default network."""

BUILT_IN_V2 = "blurscene_stream.detect.backends.torch.network_v2.FacePlateV2Network"
"""The `_target_` of our other network; every one beside these two is built by torchvision's names."""


def _are_class_names(names: Sequence[str]) -> bool:
    plain = all(re.fullmatch("[A-Za-z_][A-Za-z0-9_-]*", name) for name in names)  # they become parts of dotted keys
    return plain and len(set(names)) == len(names) > 0


def _are_labels(labels: Sequence[int]) -> bool:
    return len(set(labels)) == len(labels) and all(label >= 0 for label in labels)


def _is_rgb(color: Sequence[int]) -> bool:
    return len(color) == 3 and all(0 <= value <= 255 for value in color)


_CLASS_NAMES = Constraint("a list of different names of letters, digits, _ and -", _are_class_names)
_LABELS = Constraint("a list of different whole numbers from 0 on", _are_labels)
_THRESHOLDS = Constraint("a list of numbers in [0, 1)", lambda values: all(0 <= value < 1 for value in values))
_MARGINS = Constraint("a list of numbers in [0, 5]", lambda values: all(0 <= value <= 5 for value in values))
_SHA256 = matching("[0-9a-f]{64}", "64 hex digits")
_HYDRA_NODE = Constraint("a mapping that holds a _target_", lambda tree: isinstance(tree.get("_target_"), str))
_RGB = Constraint("a list of three numbers in 0..255", _is_rgb)


@dataclass(frozen=True)
class InputConfig:
    """Input of a torchvision network; the built-in network follows `detect` instead."""

    width_px: Annotated[
        int | None,
        "width of the network's input, the picture centered; null: as detect.size_px says",
        between(16, 8192),
    ] = None
    height_px: Annotated[int | None, "height of the network's input; set both or none", between(16, 8192)] = None
    pad_rgb: Annotated[Sequence[int], "padding colour", _RGB] = (0, 0, 0)

    def __post_init__(self) -> None:
        validate(self, "model.input.")
        if (self.width_px is None) != (self.height_px is None):
            raise ConfigError("model.input.width_px and model.input.height_px must both be numbers, or both null")


@dataclass(frozen=True)
class ModelConfig:
    """A detection model: its network, weights and class names (config/model/*.yaml)."""

    name: Annotated[str, "name of the model", NOT_EMPTY] = "face_plate_v2"
    weights: Annotated[str, "file in the folder weights/, or a path", NOT_EMPTY] = "face_plate_v2.pt"
    sha256: Annotated[
        str | None, "SHA-256 of the weights file, verified before loading; null: not verified", _SHA256
    ] = "6920ffd5f6f533983ecaa6376ef2bfd7d3b7ae7a67599d7ea9789875541ca924"
    onnx_sha256: Annotated[
        str | None, "SHA-256 of the ONNX file beside the weights, verified likewise; null: not verified", _SHA256
    ] = "2cd054b72b1f143e56c410b6e3b87606de9f24f97d28f8cb98877bbe2ac600a8"
    int8_sha256: Annotated[
        str | None, "SHA-256 of the ONNX file in int8 beside the weights, NAME_int8.onnx; null: not verified", _SHA256
    ] = "a9f66740e5c75bc91c08fa7e386facf7dbb54c5fd898708587a80528212ff4d7"
    classes: Annotated[Sequence[str], "class names, in the order of the labels", _CLASS_NAMES] = (
        "face",
        "license_plate",
    )
    labels: Annotated[
        Sequence[int] | None,
        "the network's label of each class; null: 1, 2, ...; []: all labels are one class",
        _LABELS,
    ] = None
    thresholds: Annotated[
        Sequence[float] | None,
        "classes.*.threshold of each class, where it is not set; null: its default",
        _THRESHOLDS,
    ] = None
    margins: Annotated[
        Sequence[float] | None, "classes.*.margin of each class, where it is not set; null: its default", _MARGINS
    ] = (0.4, 0.3)
    network: Annotated[Mapping[str, Any], "the network and its arguments, as a Hydra node", _HYDRA_NODE] = field(
        default_factory=lambda: {"_target_": BUILT_IN_V2}
    )
    with_amp: Annotated[bool, "automatic mixed precision, for a torchvision network"] = False
    input: InputConfig = InputConfig()

    def __post_init__(self) -> None:
        validate(self, "model.")
        if self.labels is not None and not self.labels and len(self.classes) != 1:
            raise ConfigError(f"model.labels: [] is for one class, model.classes has {len(self.classes)}")
        lists = {"labels": self.labels or None, "thresholds": self.thresholds, "margins": self.margins}
        for key, numbers in lists.items():
            if numbers is not None and len(numbers) != len(self.classes):
                raise ConfigError(
                    f"model.{key} must have a number for each of model.classes, got {len(numbers)} "
                    f"for {len(self.classes)}"
                )
        if self.is_built_in and (self.labels is not None or self.with_amp or self.input != InputConfig()):
            raise ConfigError("model.labels, model.with_amp and model.input are for networks of torchvision only")

    @property
    def is_built_in(self) -> bool:
        """Whether the network is one of our own."""
        return self.network["_target_"] in {BUILT_IN, BUILT_IN_V2}
