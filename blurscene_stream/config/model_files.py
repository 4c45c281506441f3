"""The models that the settings ask for: the one of the section `model` or BlurScene's pair, and those beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blurscene_stream.config.layers import Layers, Rank
from blurscene_stream.config.models import BUILT_IN, PAIR, ModelConfig
from blurscene_stream.config.padded_resize import read_trafo
from blurscene_stream.config.reading import one_line, read_keys, read_yaml
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError

_KEYS = ("model.target", "default_trafo", "image_width", "image_height", "with_amp")


def models_of(settings: Settings) -> list[ModelConfig]:
    """What looks for objects, in the order of the classes; the files of models are read here.

    Raises ConfigError when a file is missing, is no model, or one of BlurScene's pair does not fit the other.
    """
    first = _pair(settings) if settings.face_model_conf is not None else [settings.model]
    return first + [read_model(path) for path in settings.extra_models]


def read_model(file: str) -> ModelConfig:
    """A model from a file of the form of config/model/*.yaml. Raises ConfigError."""
    name = one_line(file)
    if not Path(file).is_file():
        raise ConfigError(f"extra_models: there is no file {name}")
    layers = Layers()
    layers.lay({"model": read_yaml(Path(file), name)}, name, Rank.CONFIG)
    forget_checksum(layers)
    return layers.settings().model


def forget_checksum(layers: Layers) -> None:
    """The default checksum is that of the built-in network's weights; another network may come without one."""
    network, checksum = layers.values["model.network"], layers.values["model.sha256"]
    if network.value["_target_"] != BUILT_IN and checksum.source == "default":
        layers.put("model.sha256", None, network.source, network.rank)


def _pair(settings: Settings) -> list[ModelConfig]:
    made, read = [], []
    for name, key in PAIR.items():
        conf, weights = (_there(settings, f"{key}_{kind}") for kind in ("conf", "weights"))
        found = one_line(conf), read_keys(Path(conf), one_line(conf), _KEYS)
        made.append(_as_model(found, name, weights))
        read.append(found)
    (_, face), (_, plate) = read
    for key in ("default_trafo", "image_width", "image_height"):
        if face[key] != plate[key]:
            raise ConfigError(
                f"{read[1][0]}: {key} is not the same as in {read[0][0]}; both models must be shown the same picture"
            )
    return made


def _there(settings: Settings, key: str) -> str:
    """The file that a key of BlurScene's names."""
    file = getattr(settings, key)
    if file is None or not Path(file).is_file():
        raise ConfigError(f"{key}: there is no file {one_line(file)}; paths are relative to the working folder")
    return str(file)


def _as_model(conf: tuple[str, Mapping[str, Any]], class_name: str, weights: str) -> ModelConfig:
    name, found = conf
    target, amp = found["model.target"], found["with_amp"]
    if not isinstance(target, Mapping) or not isinstance(target.get("_target_"), str):
        raise ConfigError(f"{name}: model.target must hold the model's _target_ and its arguments")
    if amp is not None and not isinstance(amp, bool):
        raise ConfigError(f"{name}: with_amp must be true or false, got {one_line(repr(amp))}")
    shown = read_trafo(found["default_trafo"], f"{name}: default_trafo")
    size = (found["image_width"], found["image_height"])
    if size != (shown.width_px, shown.height_px):
        raise ConfigError(
            f"{name}: image_width and image_height must be the size that default_trafo gives, "
            f"{shown.width_px} x {shown.height_px}, got {size[0]!r} x {size[1]!r}"
        )
    made = ModelConfig(name, weights, None, [class_name], [], dict(target), bool(amp))
    return replace(made, input=shown)
