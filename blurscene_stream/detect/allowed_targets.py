"""Allow-list of the `_target_` names in a model's file, and the network built from them; nothing else is called."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import nn

from blurscene_stream.config.model_files import TARGET, Node, instantiate
from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.errors import ConfigError

_BLURSCENE = "blurscene_stream.detect.faster_rcnn"
_OURS = {
    "models.faster_rcnn.build_generalized_frcnn_from_conf": f"{_BLURSCENE}.build_generalized_frcnn_from_conf",
    "models.faster_rcnn.FasterRCNNWrapper": f"{_BLURSCENE}.FasterRCNNWrapper",
    "common.classes.ClassMap": f"{_BLURSCENE}.ClassMap",
}
"""BlurScene's names, and the ones of this package that they stand for."""

_PACKAGES = ("torch.nn.", "torchvision.models.", "torchvision.ops.")
_BACKBONES = ("resnet_fpn_backbone", "mobilenet_backbone")
_ALLOWED = (
    f"layers and models of {', '.join(f'{package}*' for package in _PACKAGES)}, "
    "torchvision's model and backbone functions, "
    f"{', '.join(_OURS)}"
)
_INSTALL = "pip install torchvision, the one that belongs to your torch"


def build_network(model: ModelConfig) -> nn.Module:
    """Build the network that `model.network` describes, its weights still at random.

    Raises ConfigError when torchvision is missing or does not fit torch, when a target or an argument is not allowed,
    and when nothing can be built of them.
    """
    _need_torchvision(model.name)
    made = instantiate(model.network, _check, f"{model.name}: model")
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{model.name}: model: {model.network[TARGET]} makes no network")
    return made


def _need_torchvision(name: str) -> None:
    try:
        import torchvision.models.detection  # noqa: F401, PLC0415
    except (ImportError, RuntimeError) as error:  # the latter when it was built for another torch
        raise ConfigError(f"{name}: needs torchvision, which cannot be imported; {_INSTALL}") from error


def _check(node: Node) -> Node:
    name = node[TARGET]
    for key, value in node.items():
        if key.startswith(("weights", "pretrained")) and value not in (None, False):
            raise ConfigError(f"{key} of {name} must be null: nothing is downloaded, the weights are those of the .pt")
    if name in _OURS:
        return node | {TARGET: _OURS[name]}
    found = _located(name)
    if _is_layer(found):
        return node
    if not _is_builder(found):
        raise ConfigError(f"_target_ {name!r} is not allowed, only {_ALLOWED}")
    if "_args_" in node:
        raise ConfigError(f"_args_ of {name} is not allowed: its arguments need their names")
    signature = inspect.signature(found)  # type: ignore[arg-type]
    return node | {key: None for key in signature.parameters if key.startswith("weights")}


def _located(name: str) -> object:
    """The object that a dotted name stands for, or None; only modules of torch and torchvision are ever imported."""
    parts = name.split(".")
    if not name.startswith(_PACKAGES) or not all(part.isidentifier() and part[0] != "_" for part in parts):
        return None
    found: Any = import_module(parts[0])
    for count, part in enumerate(parts[1:], start=2):
        if isinstance(found, ModuleType) and not hasattr(found, part):
            try:
                import_module(".".join(parts[:count]))
            except ImportError:
                return None
        found = getattr(found, part, None)
    return found


def _is_layer(found: object) -> bool:
    """The name alone says little: torchvision.models.detection.rpn.torch.hub.load leads to torch.hub.load."""
    inside = isinstance(found, type) and issubclass(found, nn.Module)
    return inside and f"{found.__module__}.".startswith(_PACKAGES)


def _is_builder(found: object) -> bool:
    import torchvision.models  # noqa: PLC0415
    from torchvision.models.detection import backbone_utils  # noqa: PLC0415

    if not inspect.isfunction(found):
        return False
    if found in [getattr(backbone_utils, name) for name in _BACKBONES]:
        return True
    name = found.__name__
    return name in torchvision.models.list_models() and torchvision.models.get_model_builder(name) is found
