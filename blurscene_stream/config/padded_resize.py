"""BlurScene's preparation of a picture, `default_trafo`: what of it we do ourselves, and a refusal for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blurscene_stream.config.instantiate import TARGET, Node, instantiate
from blurscene_stream.config.models import InputConfig
from blurscene_stream.errors import ConfigError

_CONSTANTS = {  # what files that were written for albumentations name instead of the number
    "cv2.BORDER_CONSTANT": 0,
    "cv2.INTER_NEAREST": 0,
    "cv2.INTER_LINEAR": 1,
    "cv2.INTER_CUBIC": 2,
    "cv2.INTER_AREA": 3,
    "cv2.INTER_LANCZOS4": 4,
}


@dataclass(frozen=True)
class PaddedResize:
    """As large as fits into width x height, in the middle, beside it `pad_value`; the arguments are BlurScene's.

    interpolation: taken as it is: we draw straight from the frame, with swscale
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
        """The same in our words. Raises ConfigError for sizes and colours that are none."""
        value = self.pad_value
        rgb = list(value)[:3] if isinstance(value, Sequence) else [value] * 3
        if not all(type(each) is int for each in (self.width, self.height, *rgb)):
            raise ConfigError("PaddedResize: width, height and pad_value must be whole numbers")
        return InputConfig(self.width, self.height, rgb)


@dataclass(frozen=True)
class BboxParams:
    """How albumentations carries boxes along: without effect, we map them back ourselves."""

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
    """albumentations' list of transforms; of it only what holds one PaddedResize and nothing else.

    The arguments after `p` say nothing about the picture.
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


_OURS = {
    "datasets.transforms.PaddedResize": PaddedResize,
    "albumentations.Compose": Compose,
    "albumentations.core.composition.Compose": Compose,
    "albumentations.BboxParams": BboxParams,
    "albumentations.core.bbox_utils.BboxParams": BboxParams,
}


def read_trafo(tree: Any, where: str) -> InputConfig:
    """What `default_trafo` makes of a picture.

    Raises ConfigError for anything but one PaddedResize, bare or composed.
    """
    if not isinstance(tree, Mapping) or TARGET not in tree:
        raise ConfigError(f"{where}: must be a datasets.transforms.PaddedResize, alone or in albumentations.Compose")
    made = instantiate(_with_constants(tree), _check, where)
    transform = made.transforms[0] if isinstance(made, Compose) else made
    if not isinstance(transform, PaddedResize):
        raise ConfigError(f"{where}: must be a datasets.transforms.PaddedResize, alone or in albumentations.Compose")
    try:
        return transform.as_input()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check(node: Node) -> Node:
    if node[TARGET] not in _OURS:
        raise ConfigError(f"_target_ {node[TARGET]!r} is not allowed, only {', '.join(_OURS)}")
    ours = _OURS[node[TARGET]]
    return node | {TARGET: f"{ours.__module__}.{ours.__qualname__}"}


def _with_constants(value: Any) -> Any:
    """Looked up in our own table: Hydra's get_object, which such files name, could fetch anything."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == "hydra.utils.get_object" and value.get("path") in _CONSTANTS:
            return _CONSTANTS[value["path"]]
        return {key: _with_constants(inner) for key, inner in value.items()}
    return [_with_constants(inner) for inner in value] if isinstance(value, list) else value
