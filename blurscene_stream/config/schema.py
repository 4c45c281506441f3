"""The settings: one tree of frozen dataclasses, with its defaults, descriptions and constraints.

Values are converted and checked whenever a dataclass is made; a refusal names the key, the value and what is allowed.
A changed copy is made by `dataclasses.replace` or `load_settings`, and checked again.
The descriptions are the settings table in docs/settings.md and the comments in config/*.yaml.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from blurscene_stream.config.areas import AreasConfig
from blurscene_stream.config.detection import (
    ROTATIONS,
    AreaMethod,
    Backend,
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Precision,
    RotationMode,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.config.media import (
    KEEPABLE_STREAMS,
    AudioMode,
    EncodeConfig,
    Hardware,
    KeepConfig,
    RtspConfig,
    SourceConfig,
)
from blurscene_stream.config.model import BUILT_IN, BUILT_IN_V2, InputConfig, ModelConfig
from blurscene_stream.config.server import ServerConfig
from blurscene_stream.config.validation import Constraint, FrozenDict, between, matching, shown, validate, within
from blurscene_stream.errors import ConfigError

__all__ = [
    "BUILT_IN",
    "BUILT_IN_V2",
    "KEEPABLE_STREAMS",
    "PAIR",
    "PAIR_KEYS",
    "ROTATIONS",
    "AreaMethod",
    "AreasConfig",
    "AudioMode",
    "Backend",
    "BlurSceneMergeMethod",
    "ClassConfig",
    "DetectConfig",
    "EncodeConfig",
    "Hardware",
    "InputConfig",
    "KeepConfig",
    "LoggingConfig",
    "MergeConfig",
    "MergeMethod",
    "ModelConfig",
    "Precision",
    "ProcessingConfig",
    "RedactConfig",
    "RedactMethod",
    "RotationMode",
    "RtspConfig",
    "ServerConfig",
    "Settings",
    "Shape",
    "SourceConfig",
    "TrackConfig",
    "VariantsConfig",
    "class_configs",
]

PAIR = {"face": "face_model", "license_plate": "license_plate_model"}
"""BlurScene's pair of models: the class that each detects, and the prefix of the settings that name its files."""

PAIR_KEYS = tuple(f"{model}_{kind}" for model in PAIR.values() for kind in ("conf", "weights"))


class RedactMethod(Enum):
    """Redaction methods."""

    mosaic = "pixelation into at most `cells` cells along each side of the box"
    solid = "one colour"
    blur = "a blur whose kernel follows the box"


class Shape(Enum):
    """Outline of the covered region."""

    rectangle = "the box and its margin"
    ellipse = "an ellipse around the whole box: its corners are covered too"


class BlurSceneMergeMethod(Enum):
    """BlurScene's merge methods: those of the same names in `MergeMethod`."""

    nms = "non-maximum suppression"
    wbf = "weighted boxes fusion"
    nmm = "non-maximum merging"


def _is_log_format(text: str) -> bool:
    try:
        logging.Formatter(text).format(logging.LogRecord("", 0, "", 0, "", (), None))
    except (ValueError, TypeError, KeyError):  # an unknown field, a bad conversion, no field at all
        return False
    return True


_DEVICE = matching(r"auto|cpu|cuda(:(0|[1-9][0-9]*))?", "auto, cpu, cuda or cuda:N")
_LEVEL = matching("(?i)debug|info|warning|error|critical", "debug, info, warning, error or critical, in any case")
_FILES = Constraint("a list of files", lambda files: all(file.strip() for file in files))
_FORMAT = Constraint("a format of Python's logging module, such as '%(levelname)s %(message)s'", _is_log_format)


@dataclass(frozen=True)
class ClassConfig:
    """Threshold and redaction of one class of objects."""

    enabled: Annotated[bool, "whether objects of this class are covered; false: they stay as they are"] = True
    threshold: Annotated[float, "minimum score; lower finds more and covers more", within("[0, 1)")] = 0.2
    margin: Annotated[float, "margin beyond each edge, as a share of the box's side", within("[0, 5]")] = 0.3
    shape: Annotated[Shape, "outline of the covered region"] = Shape.rectangle

    def __post_init__(self) -> None:
        validate(self, "classes.*.")


@dataclass(frozen=True)
class RedactConfig:
    """Redaction of detected objects."""

    method: Annotated[RedactMethod, "mosaic: a few flat cells; solid: one colour; blur: its kernel follows the box"] = (
        RedactMethod.mosaic
    )
    cells: Annotated[
        int, "mosaic cells along each side of a box, whatever its size", between(1, 6, "more could be recognized")
    ] = 6
    min_margin_px: Annotated[int, "minimum margin beyond each edge, however small the box", between(0, 1000)] = 2
    solid_luma: Annotated[
        int, "luma of the solid fill, in 8-bit limited range: 16 is black, 235 is white", between(0, 255)
    ] = 16

    def __post_init__(self) -> None:
        validate(self, "redact.")


@dataclass(frozen=True)
class ProcessingConfig:
    """BlurScene's test-time augmentation and merging, by its names and defaults (config/inference.yaml)."""

    use: Annotated[bool, "whether the values below count"] = False
    pre_merge_score_threshold: Annotated[
        float, "minimum score before merging; 0: the class's own threshold", within("[0, 1]")
    ] = 0.0
    post_merge_score_threshold: Annotated[
        float, "minimum score after merging; 0: the class's own threshold", within("[0, 1]")
    ] = 0.0
    merge_iou_threshold: Annotated[float, "replaces detect.merge.iou_threshold", within("[0, 1]")] = 0.5
    merging_method: Annotated[BlurSceneMergeMethod, "replaces detect.merge.method"] = BlurSceneMergeMethod.wbf
    area_method: Annotated[AreaMethod, "replaces detect.merge.area_method"] = AreaMethod.int
    mirror_image: Annotated[bool, "replaces detect.variants.mirror_image"] = False
    enlarged_regions_n: Annotated[int, "replaces detect.variants.enlarged_regions_n", between(0, 8)] = 0

    def __post_init__(self) -> None:
        validate(self, "processing.")


@dataclass(frozen=True)
class LoggingConfig:
    """Log on stderr."""

    level: Annotated[str, "minimum severity of a log line", _LEVEL] = "info"
    format: Annotated[str, "format of a line, when json is false", _FORMAT] = "%(message)s"
    json: Annotated[bool, "one JSON object per line"] = False

    def __post_init__(self) -> None:
        validate(self, "logging.")


def _default_classes() -> Mapping[str, ClassConfig]:
    model = ModelConfig()
    margins = model.margins or [ClassConfig.margin] * len(model.classes)
    return {name: ClassConfig(margin=margin) for name, margin in zip(model.classes, margins, strict=True)}


@dataclass(frozen=True)
class Settings:
    """All settings of a run."""

    device: Annotated[str, "device of the network; auto: a GPU if there is one", _DEVICE] = "auto"
    queue_frames: Annotated[int, "maximum number of frames queued between two stages", between(1, 1024)] = 8
    files_at_once: Annotated[
        int,
        "files worked on at the same time, of several; 0: one for each 4 cores and 2 GB of memory, at most 8",
        between(0, 64),
    ] = 0
    model: ModelConfig = ModelConfig()
    extra_models: Annotated[
        Sequence[str], "files like config/model/*.yaml: further models, each for its own classes", _FILES
    ] = ()
    classes: Mapping[str, ClassConfig] = field(default_factory=_default_classes)
    source: SourceConfig = SourceConfig()
    detect: DetectConfig = DetectConfig()
    track: TrackConfig = TrackConfig()
    redact: RedactConfig = RedactConfig()
    areas: AreasConfig = AreasConfig()
    encode: EncodeConfig = EncodeConfig()
    keep: KeepConfig = KeepConfig()
    rtsp: RtspConfig = RtspConfig()
    server: ServerConfig = ServerConfig()
    processing: ProcessingConfig = ProcessingConfig()
    logging: LoggingConfig = LoggingConfig()
    face_model_conf: Annotated[str | None, "YAML file of BlurScene's face model"] = None
    face_model_weights: Annotated[str | None, "its weights"] = None
    license_plate_model_conf: Annotated[str | None, "YAML file of BlurScene's plate model"] = None
    license_plate_model_weights: Annotated[str | None, "its weights"] = None

    def __post_init__(self) -> None:
        validate(self)
        self._freeze_classes()

    @property
    def exceptions(self) -> tuple[str, ...]:
        """Deviations from covering all that is detected and nothing else, as lines of a log."""
        names = [name for name, config in self.classes.items() if not config.enabled]
        disabled = f"NOT covered: {', '.join(names)} (classes.*.enabled is false)" if names else ""
        return tuple(filter(None, (disabled, self.areas.summary)))

    def _freeze_classes(self) -> None:
        for name, config in self.classes.items():
            if not isinstance(config, ClassConfig):
                raise ConfigError(f"classes.{name} must be a ClassConfig, got {shown(config)}")
        object.__setattr__(self, "classes", FrozenDict(self.classes))
        if not any(config.enabled for config in self.classes.values()):
            raise ConfigError(f"classes.*.enabled must be true for one class at least, of {', '.join(self.classes)}")
        one_model = not self.extra_models and self.face_model_conf is None  # others name their classes in their files
        if one_model and set(self.classes) != set(self.model.classes):
            known = ", ".join(self.model.classes)
            raise ConfigError(f"classes must be the model's own: {known}, got {sorted(self.classes)!r}")


def class_configs(settings: Settings, class_names: Sequence[str]) -> list[ClassConfig]:
    """Return the settings of each class in `class_names`, in that order: the order of a detector's labels."""
    return [settings.classes[name] for name in class_names]
