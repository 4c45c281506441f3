"""Model files: ours (config/model/*.yaml), BlurScene's pair, and the Hydra nodes in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blurscene_stream.config.files import one_line, read_keys, read_yaml
from blurscene_stream.config.layers import Layers, Rank
from blurscene_stream.config.schema import PAIR, InputConfig, ModelConfig, Settings
from blurscene_stream.config.validation import refuse_interpolation
from blurscene_stream.errors import ConfigError

Node = dict[str, Any]
Check = Callable[[Node], Node]
"""Takes a node with a `_target_` and returns the node to build in its place; raises ConfigError to refuse it."""

TARGET = "_target_"


def instantiate(tree: Mapping[str, Any], check: Check, where: str) -> Any:
    """Build the object of a Hydra node: `_target_`, its arguments, `_args_`, `_partial_`.

    check: sees every node with a `_target_`, the inner ones first, before anything is built
    where: precedes the reason in errors

    Raises ConfigError when a target is refused or cannot be built.
    """
    from hydra.errors import HydraException  # here: Hydra takes 0.3 s to import
    from hydra.utils import instantiate as hydra_instantiate
    from omegaconf.errors import OmegaConfBaseException

    refuse_interpolation(tree, where)  # Hydra would fill it in, behind the back of `check`
    try:
        return hydra_instantiate(_checked(tree, check), _convert_="all")
    except (HydraException, OmegaConfBaseException, TypeError) as error:
        if isinstance(error.__cause__, ConfigError):
            raise ConfigError(f"{where}: {error.__cause__}") from error
        raise ConfigError(f"{where}: {one_line(' '.join(str(error).splitlines()[:2]))}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _checked(value: Any, check: Check) -> Any:
    if isinstance(value, Mapping):
        node = {str(key): _checked(inner, check) for key, inner in value.items()}
        if TARGET in node and not isinstance(node[TARGET], str):
            raise ConfigError(f"a {TARGET} must be a name")
        return check(node) if TARGET in node else node
    if isinstance(value, list | tuple):
        return [_checked(inner, check) for inner in value]
    return value


_CONSTANTS = {  # named by files written for albumentations, instead of their numbers
    "cv2.BORDER_CONSTANT": 0,
    "cv2.INTER_NEAREST": 0,
    "cv2.INTER_LINEAR": 1,
    "cv2.INTER_CUBIC": 2,
    "cv2.INTER_AREA": 3,
    "cv2.INTER_LANCZOS4": 4,
}


@dataclass(frozen=True)
class PaddedResize:
    """Letterbox to width x height: scaled to fit, centered, padded with `pad_value`; the arguments are BlurScene's.

    interpolation: ignored, frames are scaled by swscale
    """

    width: int
    height: int
    pad_value: int | Sequence[int] = 0
    interpolation: int = 1
    border_mode: int = 0
    p: float = 1.0
    always_apply: bool | None = None

    def __post_init__(self) -> None:
        if self.border_mode != 0:
            raise ConfigError(f"PaddedResize: border_mode must be 0 (cv2.BORDER_CONSTANT), got {self.border_mode!r}")
        if self.p != 1 and not self.always_apply:
            raise ConfigError(f"PaddedResize: p must be 1, got {self.p!r}: every picture is prepared alike")

    def as_input(self) -> InputConfig:
        """Return the same as our settings. Raises ConfigError for sizes and colours that are not integers."""
        value = self.pad_value
        rgb = list(value)[:3] if isinstance(value, Sequence) else [value] * 3
        if not all(type(each) is int for each in (self.width, self.height, *rgb)):
            raise ConfigError("PaddedResize: width, height and pad_value must be whole numbers")
        return InputConfig(self.width, self.height, rgb)


@dataclass(frozen=True)
class BboxParams:
    """Box parameters of albumentations: without effect, boxes are mapped back by us."""

    format: str = "pascal_voc"
    label_fields: Sequence[str] | None = None
    min_area: float = 0.0
    min_visibility: float = 0.0
    min_width: float = 0.0
    min_height: float = 0.0
    check_each_transform: bool = True
    clip: bool = False
    filter_invalid_bboxes: bool = False
    max_accept_ratio: float | None = None


@dataclass(frozen=True)
class Compose:
    """List of transforms of albumentations; only one that holds a single PaddedResize is supported.

    The arguments after `p` do not change the picture.
    """

    transforms: Sequence[PaddedResize]
    bbox_params: object = None
    keypoint_params: object = None
    additional_targets: object = None
    p: float = 1.0
    is_check_shapes: bool = True
    strict: bool = True
    mask_interpolation: int | None = None
    seed: int | None = None
    save_applied_params: bool = False

    def __post_init__(self) -> None:
        if self.p != 1:
            raise ConfigError(f"Compose: p must be 1, got {self.p!r}: every picture is prepared alike")
        if len(self.transforms) != 1 or not isinstance(self.transforms[0], PaddedResize):
            raise ConfigError("Compose must hold one PaddedResize and nothing else")


_TRANSFORMS = {
    "datasets.transforms.PaddedResize": PaddedResize,
    "albumentations.Compose": Compose,
    "albumentations.core.composition.Compose": Compose,
    "albumentations.BboxParams": BboxParams,
    "albumentations.core.bbox_utils.BboxParams": BboxParams,
}


def read_trafo(tree: Any, where: str) -> InputConfig:
    """Return the network input that `default_trafo` describes.

    Raises ConfigError for anything but one PaddedResize, bare or composed.
    """
    if not isinstance(tree, Mapping) or TARGET not in tree:
        raise ConfigError(f"{where}: must be a datasets.transforms.PaddedResize, alone or in albumentations.Compose")
    made = instantiate(_with_constants(tree), _check_transform, where)
    transform = made.transforms[0] if isinstance(made, Compose) else made
    if not isinstance(transform, PaddedResize):
        raise ConfigError(f"{where}: must be a datasets.transforms.PaddedResize, alone or in albumentations.Compose")
    try:
        return transform.as_input()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_transform(node: Node) -> Node:
    if node[TARGET] not in _TRANSFORMS:
        raise ConfigError(f"_target_ {node[TARGET]!r} is not allowed, only {', '.join(_TRANSFORMS)}")
    own = _TRANSFORMS[node[TARGET]]
    return node | {TARGET: f"{own.__module__}.{own.__qualname__}"}


def _with_constants(value: Any) -> Any:
    """Replace OpenCV constants by our own table: Hydra's get_object, which such files use, could return anything."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == "hydra.utils.get_object" and value.get("path") in _CONSTANTS:
            return _CONSTANTS[value["path"]]
        return {key: _with_constants(inner) for key, inner in value.items()}
    return [_with_constants(inner) for inner in value] if isinstance(value, list) else value


_PAIR_FILE_KEYS = ("model.target", "default_trafo", "image_width", "image_height", "with_amp")


def models_of(settings: Settings) -> list[ModelConfig]:
    """Return the models to run, in the order of their classes; model files are read here.

    Raises ConfigError when a file is missing, is no model, or one of BlurScene's pair does not fit the other.
    """
    first = _pair(settings) if settings.face_model_conf is not None else [settings.model]
    return first + [read_model(path) for path in settings.extra_models]


def read_model(file: str) -> ModelConfig:
    """Read a model from a file of the form of config/model/*.yaml. Raises ConfigError."""
    name = one_line(file)
    if not Path(file).is_file():
        raise ConfigError(f"extra_models: there is no file {name}")
    layers = Layers()
    layers.apply({"model": read_yaml(Path(file), name)}, name, Rank.CONFIG)
    layers.drop_checksums_and_margins()
    return layers.settings().model


def _pair(settings: Settings) -> list[ModelConfig]:
    made, read = [], []
    for name, key in PAIR.items():
        conf, weights = (_existing_file(settings, f"{key}_{kind}") for kind in ("conf", "weights"))
        found = one_line(conf), read_keys(Path(conf), one_line(conf), _PAIR_FILE_KEYS)
        made.append(_pair_model(found, name, weights))
        read.append(found)
    (_, face), (_, plate) = read
    for key in ("default_trafo", "image_width", "image_height"):
        if face[key] != plate[key]:
            raise ConfigError(
                f"{read[1][0]}: {key} is not the same as in {read[0][0]}; both models must have the same input"
            )
    return made


def _existing_file(settings: Settings, key: str) -> str:
    """Return the file that one of BlurScene's keys names. Raises ConfigError when it is missing."""
    file = getattr(settings, key)
    if file is None or not Path(file).is_file():
        raise ConfigError(f"{key}: there is no file {one_line(file)}; paths are relative to the working folder")
    return str(file)


def _pair_model(conf: tuple[str, Mapping[str, Any]], class_name: str, weights: str) -> ModelConfig:
    name, found = conf
    target, amp = found["model.target"], found["with_amp"]
    if not isinstance(target, Mapping) or not isinstance(target.get("_target_"), str):
        raise ConfigError(f"{name}: model.target must hold the model's _target_ and its arguments")
    if amp is not None and not isinstance(amp, bool):
        raise ConfigError(f"{name}: with_amp must be true or false, got {one_line(repr(amp))}")
    resized = read_trafo(found["default_trafo"], f"{name}: default_trafo")
    size = (found["image_width"], found["image_height"])
    if size != (resized.width_px, resized.height_px):
        raise ConfigError(
            f"{name}: image_width and image_height must be the size that default_trafo gives, "
            f"{resized.width_px} x {resized.height_px}, got {size[0]!r} x {size[1]!r}"
        )
    return ModelConfig(
        *(name, weights, None, None, None, [class_name]),
        labels=[],
        margins=None,
        network=dict(target),
        with_amp=bool(amp),
        input=resized,
    )
