"""What a model is: its network, its weights, the classes that it knows and the pictures that it wants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from blurscene_stream.config.rules import Rule, between, check, matching
from blurscene_stream.errors import ConfigError

BUILT_IN = "blurscene_stream.detect.network.FacePlateNetwork"
"""The `_target_` of our own network; every other one is built by torchvision's names."""

PAIR = {"face": "face_model", "license_plate": "license_plate_model"}
"""BlurScene's models: our name of what each finds, and how the settings begin that name its files."""

PAIR_KEYS = tuple(f"{model}_{kind}" for model in PAIR.values() for kind in ("conf", "weights"))


def _is_class_list(names: list[str]) -> bool:
    plain = all(re.fullmatch("[A-Za-z_][A-Za-z0-9_-]*", name) for name in names)  # they become parts of dotted keys
    return plain and len(set(names)) == len(names) > 0


def _are_labels(labels: list[int]) -> bool:
    return len(set(labels)) == len(labels) and all(label >= 0 for label in labels)


def _is_description(tree: Mapping[Any, Any]) -> bool:
    return isinstance(tree.get("_target_"), str)


def _is_colour(rgb: list[int]) -> bool:
    return len(rgb) == 3 and all(0 <= value <= 255 for value in rgb)


NOT_EMPTY = Rule("text (not empty)", lambda text: bool(text.strip()))
_CLASS_LIST = Rule("a list of different names of letters, digits, _ and -", _is_class_list)
_LABELS = Rule("a list of different whole numbers from 0 on", _are_labels)
_HEX = matching("[0-9a-f]{64}", "64 hex digits")
_DESCRIPTION = Rule("a mapping that holds a _target_", _is_description)
_COLOUR = Rule("a list of three numbers in 0..255", _is_colour)


@dataclass
class InputConfig:
    """What a network of torchvision is shown; the built-in one has its own ways."""

    width_px: Annotated[
        int | None, "of the network's input, the picture in its middle; null: as detect.size_px says", between(16, 8192)
    ] = None
    height_px: Annotated[int | None, "likewise; both or none", between(16, 8192)] = None
    pad_rgb: Annotated[list[int], "colour beside the picture", _COLOUR] = field(default_factory=lambda: [0, 0, 0])

    def __post_init__(self) -> None:
        check(self, "model.input.")
        if (self.width_px is None) != (self.height_px is None):
            raise ConfigError("model.input.width_px and model.input.height_px must both be numbers, or both null")


@dataclass
class ModelConfig:
    """A detector: its network, its weights and the classes that it knows (config/model/*.yaml)."""

    name: Annotated[str, "name of the model", NOT_EMPTY] = "face_plate_v1"
    weights: Annotated[str, "file in the folder weights/, or a path", NOT_EMPTY] = "face_plate_v1.pt"
    sha256: Annotated[str | None, "checksum of that file, compared before it is used; null: not compared", _HEX] = (
        "03e0db35622a51e080ed1d85441557db57a161519ea4062d41fe6d988708646a"
    )
    classes: Annotated[list[str], "what the model finds, in the order of its labels", _CLASS_LIST] = field(
        default_factory=lambda: ["face", "license_plate"]
    )
    labels: Annotated[
        list[int] | None, "the network's label of each class; null: 1, 2, ...; []: all labels are one class", _LABELS
    ] = None
    network: Annotated[dict[str, Any], "what is built, with which arguments, as Hydra has it", _DESCRIPTION] = field(
        default_factory=lambda: {"_target_": BUILT_IN, "plate_width": 48, "plate_depth": 2}
    )
    with_amp: Annotated[bool, "of a network of torchvision: 16 bits where the chip gains from it"] = False
    input: InputConfig = field(default_factory=InputConfig)

    def __post_init__(self) -> None:
        check(self, "model.")
        if self.labels == [] and len(self.classes) != 1:
            raise ConfigError(f"model.labels: [] is for one class, model.classes has {len(self.classes)}")
        if self.labels and len(self.labels) != len(self.classes):
            raise ConfigError(
                f"model.labels must have a number for each of model.classes, got {len(self.labels)} "
                f"for {len(self.classes)}"
            )
        if self.is_built_in and (self.labels is not None or self.with_amp or self.input != InputConfig()):
            raise ConfigError("model.labels, model.with_amp and model.input are for networks of torchvision only")

    @property
    def is_built_in(self) -> bool:
        """Whether the network is our own."""
        return bool(self.network["_target_"] == BUILT_IN)
