"""The settings: one tree of dataclasses, its defaults, and what each value means and may be.

Every check runs when a dataclass is made, and names the key, the value and what is allowed.
The texts are the README's settings table, and the comments in config/*.yaml.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from blurscene_stream.config.areas import AreasConfig
from blurscene_stream.config.detection import (
    AreaMethod,
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Precision,
    VariantsConfig,
)
from blurscene_stream.config.encoding import AudioMode, EncodeConfig, Hardware
from blurscene_stream.config.keep import KeepConfig
from blurscene_stream.config.models import InputConfig, ModelConfig
from blurscene_stream.config.rules import Rule, between, check, matching, within
from blurscene_stream.config.source import SourceConfig
from blurscene_stream.config.tracking import TrackConfig
from blurscene_stream.errors import ConfigError

__all__ = [
    "AreaMethod",
    "AreasConfig",
    "AudioMode",
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
    "RtspConfig",
    "Settings",
    "Shape",
    "SourceConfig",
    "TrackConfig",
    "VariantsConfig",
    "chosen",
]


class RedactMethod(Enum):
    """What replaces the picture inside a box; lower case because OmegaConf matches names."""

    mosaic = "flat cells, at most `cells` along each side of the box"
    solid = "one colour"
    blur = "a blur whose kernel follows the box"


class Shape(Enum):
    """The outline that is covered."""

    rectangle = "the box and its margin"
    ellipse = "an ellipse around the whole box: its corners are covered too"


class BlurSceneMergeMethod(Enum):
    """BlurScene's ways of merging: those of the same names in `MergeMethod`."""

    nms = "the best of them"
    wbf = "their mean, weighted by score"
    nmm = "the box around all of them"


def _is_log_format(text: str) -> bool:
    try:
        logging.Formatter(text).format(logging.LogRecord("", 0, "", 0, "", (), None))
    except (ValueError, TypeError, KeyError):  # an unknown field, a bad conversion, no field at all
        return False
    return True


_DEVICE = matching(r"auto|cpu|cuda(:(0|[1-9][0-9]*))?", "auto, cpu, cuda or cuda:N")
_LEVEL = matching("(?i)debug|info|warning|error|critical", "debug, info, warning, error or critical, in any case")
_FILES = Rule("a list of files", lambda files: all(file.strip() for file in files))
_FORMAT = Rule("a format of Python's logging module, such as '%(levelname)s %(message)s'", _is_log_format)


@dataclass
class ClassConfig:
    """What is done for one class of objects."""

    threshold: Annotated[float, "least score; lower finds more and covers more", within("[0, 1)")] = 0.2
    margin: Annotated[float, "share of the box's side that is covered beyond each edge", within("[0, 5]")] = 0.3
    shape: Annotated[Shape, "outline that is covered"] = Shape.rectangle

    def __post_init__(self) -> None:
        check(self, "classes.*.")


@dataclass
class RedactConfig:
    """How what was found is hidden."""

    method: Annotated[RedactMethod, "flat cells, one colour, or a blur that follows the box's size"] = (
        RedactMethod.mosaic
    )
    cells: Annotated[
        int, "of the mosaic, along each side of a box, whatever its size", between(1, 6, "more could be recognized")
    ] = 6
    min_margin_px: Annotated[int, "beyond each edge, however small the box", between(0, 1000)] = 2
    solid_luma: Annotated[int, "of the solid fill, as in 8-bit video: 16 is black, 235 is white", between(0, 255)] = 16

    def __post_init__(self) -> None:
        check(self, "redact.")


@dataclass
class RtspConfig:
    """How cameras and servers are talked to, over TCP."""

    open_timeout_s: Annotated[float, "seconds until the first packet", within("(0, 3600]")] = 10.0
    read_timeout_s: Annotated[float, "seconds between two packets; then the source is lost", within("(0, 3600]")] = 5.0
    write_timeout_s: Annotated[float, "seconds for one packet; then the target is lost", within("(0, 3600]")] = 5.0
    gop_s: Annotated[float, "seconds between key frames that are sent", within("(0, 3600]")] = 2.0

    def __post_init__(self) -> None:
        check(self, "rtsp.")


@dataclass
class ProcessingConfig:
    """BlurScene's switches for variants and merging, by its names and defaults (config/inference.yaml)."""

    use: Annotated[bool, "the values below count"] = False
    pre_merge_score_threshold: Annotated[float, "least score before merging; 0: the class's own", within("[0, 1]")] = (
        0.0
    )
    post_merge_score_threshold: Annotated[float, "least score after merging; 0: the class's own", within("[0, 1]")] = (
        0.0
    )
    merge_iou_threshold: Annotated[float, "takes the place of detect.merge.iou_threshold", within("[0, 1]")] = 0.5
    merging_method: Annotated[BlurSceneMergeMethod, "takes the place of detect.merge.method"] = BlurSceneMergeMethod.wbf
    area_method: Annotated[AreaMethod, "takes the place of detect.merge.area_method"] = AreaMethod.int
    mirror_image: Annotated[bool, "takes the place of detect.variants.mirror_image"] = False
    enlarged_regions_n: Annotated[int, "takes the place of detect.variants.enlarged_regions_n", between(0, 8)] = 0

    def __post_init__(self) -> None:
        check(self, "processing.")


@dataclass
class LoggingConfig:
    """What is written to stderr."""

    level: Annotated[str, "least severity that is written", _LEVEL] = "info"
    format: Annotated[str, "of a line, when json is false", _FORMAT] = "%(message)s"
    json: Annotated[bool, "one JSON object a line"] = False

    def __post_init__(self) -> None:
        check(self, "logging.")


def _default_classes() -> dict[str, ClassConfig]:
    return {"face": ClassConfig(), "license_plate": ClassConfig()}


@dataclass
class Settings:
    """Everything that a run can be told."""

    device: Annotated[str, "where the network runs; auto: a GPU if there is one", _DEVICE] = "auto"
    queue_frames: Annotated[int, "pictures that wait between two stages, at most", between(1, 1024)] = 8
    model: ModelConfig = field(default_factory=ModelConfig)
    extra_models: Annotated[
        list[str], "files like config/model/*.yaml: models that look too, each for its classes", _FILES
    ] = field(default_factory=list)
    classes: dict[str, ClassConfig] = field(default_factory=_default_classes)
    source: SourceConfig = field(default_factory=SourceConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    redact: RedactConfig = field(default_factory=RedactConfig)
    areas: AreasConfig = field(default_factory=AreasConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)
    rtsp: RtspConfig = field(default_factory=RtspConfig)
    processing: ProcessingConfig = field(default_factory=ProcessingConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    face_model_conf: Annotated[str | None, "BlurScene's face model, its YAML file"] = None
    face_model_weights: Annotated[str | None, "its weights"] = None
    license_plate_model_conf: Annotated[str | None, "BlurScene's plate model, its YAML file"] = None
    license_plate_model_weights: Annotated[str | None, "its weights"] = None

    def __post_init__(self) -> None:
        check(self)
        known_by_model = (
            not self.extra_models and self.face_model_conf is None
        )  # else the files of the models know them
        if known_by_model and set(self.classes) != set(self.model.classes):
            known = ", ".join(self.model.classes)
            raise ConfigError(f"classes must be the model's own: {known}, got {sorted(self.classes)!r}")
        if self.detect.every > 1:
            self._check_between()

    def _check_between(self) -> None:
        """What a small scan misses is for the tracker to cover."""
        every = f"got {self.detect.every}"
        if not self.track.enabled:
            raise ConfigError(f"detect.every must be 1 where track.enabled is false, {every}")
        if self.detect.every > self.track.lookahead_frames:
            most = self.track.lookahead_frames
            raise ConfigError(f"detect.every must not be above track.lookahead_frames, {most}, {every}")


def chosen(settings: Settings, names: Sequence[str]) -> list[ClassConfig]:
    """The settings of each class in `names`, in that order: the order of a detector's labels."""
    return [settings.classes[name] for name in names]
